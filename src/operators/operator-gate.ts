import { createHash, timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { LRUCache } from 'lru-cache';
import { FieldsmithError, type Clock } from '#libs/common';

const WINDOW_MS = 60_000;
/** Wrong secrets of one network address in a window. */
const MOST_FAILURES = 10;
/** Addresses remembered at a time; beyond it the least recently seen are forgotten. */
const MAX_ADDRESSES = 10_000;

/** Too many wrong operator secrets; status 429. */
class TooManyFailuresError extends FieldsmithError {
  constructor(readonly retryAfterSeconds: number) {
    const remedy = `Too many wrong operator secrets: try again in ${retryAfterSeconds} seconds.`;
    super('too_many_attempts', remedy, { status: 429 });
  }
}

/**
 * Lets operators pass: whoever knows `OPERATOR_TOKEN`, as a Bearer token, or as the password of HTTP basic
 * authentication with any user name, so that a browser asks for it. Operators belong to no tenant.
 *
 * @example
 * app.use('/admin', operatorGate(config.operatorToken, systemClock));
 */
export function operatorGate(token: string, clock: Clock) {
  const wanted = digest(token);
  const failures = new LRUCache<string, { count: number; until: number }>({ max: MAX_ADDRESSES });

  const failuresOf = (address: string) => {
    const now = clock.now().getTime();
    const known = failures.get(address);
    if (known && known.until > now) return known;
    const fresh = { count: 0, until: now + WINDOW_MS };
    failures.set(address, fresh);
    return fresh;
  };

  return (request: Request, response: Response, next: NextFunction): void => {
    const own = failuresOf(request.ip ?? '');
    if (own.count >= MOST_FAILURES) {
      const seconds = Math.ceil((own.until - clock.now().getTime()) / 1000);
      return next(new TooManyFailuresError(seconds));
    }
    const given = secretOf(request.headers.authorization);
    // Digests are of one length, so that the comparison tells nothing about either.
    if (given !== undefined && timingSafeEqual(digest(given), wanted)) return next();
    if (given !== undefined) own.count += 1;
    response.setHeader('www-authenticate', 'Basic realm="Fieldsmith operators", charset="UTF-8"');
    next(new FieldsmithError('operator_only', 'Give OPERATOR_TOKEN as the password.', { status: 401 }));
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function secretOf(header: string | undefined): string | undefined {
  const [, scheme, value] = /^(\w+) +(\S+)$/.exec(header ?? '') ?? [];
  if (!scheme || !value) return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
