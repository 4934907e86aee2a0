import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { PrincipalRequest } from '#libs/access';
import { newId } from '#libs/common';

/** A request with the id that its lines in the log and its answer carry. */
export type IdentifiedRequest = Request & PrincipalRequest & { id?: string };

const USABLE_ID = /^[\w.:-]{1,100}$/;
const LONGEST_PATH = 300;
/** Asked every few seconds by machines: told only where something is wrong. */
const QUIET = /^\/(health\/|metrics$)/;
const logger = new Logger('Request');

/**
 * Gives every request an id (that of the `x-request-id` header, if it is usable) and logs one line when it has been
 * answered or its client has gone. Never its query, headers or body.
 */
export function requestLog(request: IdentifiedRequest, response: Response, next: NextFunction): void {
  const started = performance.now();
  const given = request.headers['x-request-id'];
  request.id = typeof given === 'string' && USABLE_ID.test(given) ? given : newId();
  response.setHeader('x-request-id', request.id);
  response.once('close', () => tell(request, response, performance.now() - started));
  next();
}

function tell(request: IdentifiedRequest, response: Response, durationMs: number): void {
  const { statusCode: status } = response;
  const path = request.originalUrl.split('?', 1)[0]!;
  if (QUIET.test(path) && status < 400) return;
  const line = {
    message: response.writableFinished ? 'request answered' : 'request abandoned',
    request_id: request.id,
    method: request.method,
    path: path.slice(0, LONGEST_PATH),
    status,
    duration_ms: Math.round(durationMs * 10) / 10,
    tenant_id: request.principal?.tenantId,
    user_id: request.principal?.id,
  };
  if (status >= 500) logger.warn(line);
  else logger.log(line);
}
