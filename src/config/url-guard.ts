import type { NextFunction, Request, Response } from 'express';
import { FieldsmithError } from '#libs/common';
import { isStorable } from '#libs/fieldsmith';

/** Refuses addresses that hold what no column can: NUL, half characters, broken percent-encoding. */
export function urlGuard(request: Request, _response: Response, next: NextFunction): void {
  next(isUsable(request.originalUrl) ? undefined : unusable());
}

function isUsable(url: string): boolean {
  try {
    return isStorable(decodeURIComponent(url));
  } catch {
    // Not UTF-8: a lone percent sign in a query is text to some clients, but nothing of ours is found by it.
    return false;
  }
}

function unusable(): FieldsmithError {
  return new FieldsmithError(
    'malformed_url',
    'The address holds characters that nothing can be found by: correct it.',
    {
      status: 400,
    },
  );
}
