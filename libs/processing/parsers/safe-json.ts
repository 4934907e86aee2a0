import type { Json } from '#libs/common';
import { requireStorable } from './answer-text.js';
import { ParseError } from './parser.js';

/** The deepest nesting of a value that is accepted. */
export const MAX_DEPTH = 64;

/**
 * A copy of a parsed value that is safe to keep: `__proto__` keys dropped, nesting bounded, and nothing in
 * it that JSON or Postgres cannot hold.
 *
 * @throws ParseError naming what cannot be kept
 */
export function safeJson(value: unknown, depth = 0): Json {
  if (depth > MAX_DEPTH) throw tooDeep();
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return finite(value);
  if (typeof value === 'string') {
    requireStorable(value);
    return value;
  }
  if (Array.isArray(value)) return value.map((member) => safeJson(member, depth + 1));
  if (typeof value === 'object') return safeObject(value, depth);
  throw new ParseError(`The answer holds a ${typeof value}, which JSON cannot express.`);
}

export function tooDeep(): ParseError {
  return new ParseError(
    `The answer is nested more than ${MAX_DEPTH} levels deep. Answer with a flatter value.`,
  );
}

/** Whether a value is a JSON object, not an array. */
export function isObject(value: unknown): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function safeObject(value: object, depth: number): Json {
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__');
  for (const [key] of entries) requireStorable(key);
  return Object.fromEntries(entries.map(([key, member]) => [key, safeJson(member, depth + 1)]));
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new ParseError('The answer holds a number that is not finite.');
  return value;
}
