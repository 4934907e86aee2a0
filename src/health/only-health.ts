import type { NextFunction, Request, Response } from 'express';
import { FieldsmithError } from '#libs/common';

/** What a worker answers; nothing of it needs a sign-in. */
const PATHS = /^\/(health\/[^/]+|metrics)\/?$/;

/** In a worker process: hides everything but health and metrics. The API is served by the processes that are made for it. */
export function onlyHealth(request: Request, _response: Response, next: NextFunction): void {
  next(PATHS.test(request.path) ? undefined : notHere());
}

function notHere(): FieldsmithError {
  const remedy = 'This process is a worker and answers only /health and /metrics: ask an API process.';
  return new FieldsmithError('not_found', remedy, { status: 404 });
}
