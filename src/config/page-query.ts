import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { InvalidInputError, isId, type ErrorDetail } from '#libs/common';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const FILTER = /^filter\[([^\]]{1,100})\]$/;

/** Which part of a list is asked for. */
export interface PageQuery {
  limit: number;
  /** The id that the page before ended with. */
  after?: string;
  /** Texts of `filter[slug]=text`, by slug; always empty where a list has no filters. */
  filter: ReadonlyMap<string, string>;
}

/** A part of a list, as the API shows it. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/**
 * Reads `limit`, `cursor` and, where the list has filters, `filter[slug]`. Taken from the URL itself, so that it does
 * not depend on how the server parses queries.
 *
 * @throws InvalidInputError naming every parameter that is wrong.
 * @example readPageQuery('/records?limit=20&filter[city]=Ulm', true) // { limit: 20, filter: Map { city → Ulm } }
 */
export function readPageQuery(url: string, hasFilters: boolean): PageQuery {
  const errors: ErrorDetail[] = [];
  const page: PageQuery & { filter: Map<string, string> } = { limit: DEFAULT_LIMIT, filter: new Map() };
  for (const [name, text] of new URL(url, 'http://host').searchParams) {
    const [, slug] = (hasFilters && FILTER.exec(name)) || [];
    if (slug !== undefined) page.filter.set(slug, text);
    else if (name === 'limit') page.limit = readLimit(text, errors);
    else if (name === 'cursor') page.after = readCursor(text, errors);
    else
      errors.push({
        path: name.slice(0, 100),
        message: `There is no such parameter; there are ${known(hasFilters)}.`,
      });
  }
  if (errors.length > 0) throw new InvalidInputError(errors);
  return page;
}

/** The page that a list answers, given one item more than was asked for where there are more. */
export function toPage<T extends { id: string }>(items: T[], limit: number): Page<T> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const cursor = last && items.length > limit ? Buffer.from(last.id).toString('base64url') : null;
  return { items: shown, next_cursor: cursor };
}

/** Parameter decorator: the {@link PageQuery} of the request; `true` for a list with filters. */
export const PageOf = createParamDecorator(
  (hasFilters: boolean | undefined, context: ExecutionContext): PageQuery => {
    return readPageQuery(context.switchToHttp().getRequest<Request>().originalUrl, hasFilters === true);
  },
);

function readLimit(text: string, errors: ErrorDetail[]): number {
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  errors.push({ path: 'limit', message: `Must be a whole number from 1 to ${MAX_LIMIT}.` });
  return DEFAULT_LIMIT;
}

function readCursor(text: string, errors: ErrorDetail[]): string | undefined {
  const id = Buffer.from(text, 'base64url').toString();
  if (isId(id)) return id;
  errors.push({ path: 'cursor', message: 'Must be the next_cursor of the page before.' });
  return undefined;
}

function known(hasFilters: boolean): string {
  return hasFilters ? 'limit, cursor and filter[slug]' : 'limit and cursor';
}
