import type { NextFunction, Request, Response } from 'express';
import { Histogram } from 'prom-client';
import type { Metrics } from '#libs/common';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Everything that no route answered: paths that anybody makes up are no label. */
const UNMATCHED = 'unmatched';
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Express middleware that measures every answer by the template of its route, such as `/api/v1/records/:id`. Streams of
 * events are left out: they last as long as a screen is open.
 *
 * @example app.use(httpMetrics(app.get(Metrics)));
 */
export function httpMetrics(
  metrics: Metrics,
): (request: Request, response: Response, next: NextFunction) => void {
  const durations = new Histogram({
    name: 'fieldsmith_http_request_seconds',
    help: 'Seconds of HTTP requests by method, template of the route, and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [metrics],
  });
  return (request, response, next) => {
    const started = performance.now();
    response.once('finish', () => {
      if (isStream(response)) return;
      const method = METHODS.has(request.method) ? request.method : 'other';
      const labels = { method, route: routeOf(request), status: String(response.statusCode) };
      durations.observe(labels, (performance.now() - started) / 1000);
    });
    next();
  };
}

function routeOf(request: Request): string {
  const { path } = (request.route ?? {}) as { path?: unknown };
  // The framework answers what it does not know on a route of its own, with a wildcard.
  return typeof path === 'string' && !path.includes('*') ? `${request.baseUrl}${path}` : UNMATCHED;
}

function isStream(response: Response): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}
