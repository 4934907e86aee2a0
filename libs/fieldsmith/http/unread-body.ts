import type { NextFunction, Request, Response } from 'express';
import { FieldsmithError } from '#libs/common';

/** Stands in the place of a body that no parser took: whoever wants it refuses it, and tells it from one that is not there. */
const UNREAD = Symbol('unread body');

/** Express middleware, after the parsers: marks a body that none of them took. One that a handler reads itself is left alone. */
export function markUnreadBody(request: Request, _response: Response, next: NextFunction): void {
  const { headers } = request;
  const isSent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (isSent && request.body === undefined) request.body = UNREAD;
  next();
}

/** @throws FieldsmithError `unsupported_media_type`, 415, for a body that was marked. */
export function requireRead(body: unknown): void {
  if (body !== UNREAD) return;
  const message = 'The body is not JSON: send JSON, with "Content-Type: application/json".';
  throw new FieldsmithError('unsupported_media_type', message, { status: 415 });
}
