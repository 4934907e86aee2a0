import { loggableError } from '#libs/common';

const SECRET_KEY =
  /pass(word|phrase)|secret|authorization|cookie|credential|api_?key|(master|private)_?key|(^|_)token$/i;
/** What people, records, prompts and models say. Ids, codes, counts and times go by other names. */
const CONTENT_KEY =
  /^(prompt|system|answer|values?|data|body|input|output|request|response|headers|messages|content|query|params|parameters|text|record)$/i;
/** Secrets by their shape, wherever in a line they stand: keys of providers, bearer tokens, passwords in URLs. */
const SECRET_SHAPES: readonly [RegExp, string][] = [
  [/\b(?:sk|pk|rk|gsk|xai)-[\w*.…-]{6,}/g, '[redacted]'],
  [/\bBearer\s+[\w.~+/=-]+/gi, 'Bearer [redacted]'],
  [/:\/\/[^\s/@:"\\]+:[^\s/@"\\]+@/g, '://[redacted]@'],
];
const MAX_DEPTH = 5;
const MAX_ITEMS = 50;

/**
 * What may be logged of an object: without secrets and without content, whatever depth they are at. Errors keep their
 * name, code, message and stack.
 *
 * @example scrub({ job_id: '0198…', api_key: 'sk-…', prompt: 'Summarise Ada' })
 * // { job_id: '0198…', api_key: '[redacted]', prompt: '[withheld]' }
 */
export function scrub(value: unknown, depth = 0): unknown {
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  if (value instanceof Error) return loggableError(value);
  if (depth === MAX_DEPTH) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => scrub(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, scrubMember(key, member, depth)]),
  );
}

function scrubMember(key: string, member: unknown, depth: number): unknown {
  if (member === undefined || member === null) return member;
  if (SECRET_KEY.test(key)) return '[redacted]';
  if (CONTENT_KEY.test(key)) return '[withheld]';
  return scrub(member, depth + 1);
}

/** A finished line without what looks like a secret. */
export function scrubLine(line: string): string {
  return SECRET_SHAPES.reduce((rest, [shape, instead]) => rest.replace(shape, instead), line);
}
