import type { Json } from '#libs/common';
import { formatDate, isoDate } from '../format/dates.js';
import { formatItem } from '../format/format-value.js';
import { plainNumber } from '../format/numbers.js';
import { PROMPT_LIMITS, type Meter } from '../limits.js';
import type { Expression } from '../syntax/expression.js';

/**
 * How an argument arrives: as the formatted text, as the value with its type, or as whichever the place
 * wants where the result of the call goes.
 */
export type Form = 'text' | 'value' | 'same';

/** A value on its way through a program; undefined where there is none. */
export type Value = Json | undefined;

export interface Helper {
  /** How to write it, for messages and the README. */
  usage: string;
  params: readonly Form[];
  /** How many of the parameters, from the end, may be left out; default 0. */
  optional?: number;
  /** Whether the last parameter may be repeated. */
  repeats?: boolean;
  /** What is wrong with the arguments as they are written, if anything. */
  check?: (args: readonly Expression[]) => string | undefined;
  run(meter: Meter, ...args: Value[]): Value;
}

const MAX_PLACES = 20;

/** The helpers of the language besides its blocks. */
export const HELPERS: ReadonlyMap<string, Helper> = new Map(
  Object.entries<Helper>({
    upper: { usage: 'upper x', params: ['text'], run: (meter, x) => read(meter, x).toUpperCase() },
    lower: { usage: 'lower x', params: ['text'], run: (meter, x) => read(meter, x).toLowerCase() },
    trim: { usage: 'trim x', params: ['text'], run: (meter, x) => read(meter, x).trim() },
    default: {
      usage: 'default x fallback',
      params: ['same', 'same'],
      run: (_meter, x, fallback) => (isEmpty(x) ? fallback : x),
    },
    truncate: {
      usage: 'truncate x length [ending]',
      params: ['text', 'value', 'text'],
      optional: 1,
      check: ([, length]) => checkInteger(length, 0, PROMPT_LIMITS.outputChars),
      run: (meter, x, length, ending) =>
        truncated(read(meter, x), integer(length, 0, PROMPT_LIMITS.outputChars), read(meter, ending ?? '…')),
    },
    replace: {
      usage: 'replace x search replacement',
      params: ['text', 'text', 'text'],
      run: (meter, x, search, by) => replaced(meter, read(meter, x), read(meter, search), read(meter, by)),
    },
    date: {
      usage: 'date x [pattern]',
      params: ['value', 'text'],
      optional: 1,
      run: (meter, x, pattern) =>
        pattern === undefined ? isoDate(read(meter, x)) : formatDate(read(meter, x), read(meter, pattern)),
    },
    number: {
      usage: 'number x [places]',
      params: ['value', 'value'],
      optional: 1,
      check: ([, places]) => checkInteger(places, 0, MAX_PLACES),
      run: (meter, x, places) => rounded(meter, x, places),
    },
    json: { usage: 'json x', params: ['value'], run: (meter, x) => spent(meter, JSON.stringify(x ?? null)) },
    join: {
      usage: 'join list [separator]',
      params: ['value', 'text'],
      optional: 1,
      run: (meter, list, separator) => joined(meter, list, read(meter, separator ?? ', ')),
    },
    length: { usage: 'length x', params: ['value'], run: (_meter, x) => lengthOf(x) },
    contains: { usage: 'contains x part', params: ['value', 'value'], run: contains },
    eq: {
      usage: 'eq a b',
      params: ['value', 'value'],
      run: (meter, a, b) => read(meter, a) === read(meter, b),
    },
    ne: {
      usage: 'ne a b',
      params: ['value', 'value'],
      run: (meter, a, b) => read(meter, a) !== read(meter, b),
    },
    gt: { usage: 'gt a b', params: ['value', 'value'], run: (meter, a, b) => order(meter, a, b) > 0 },
    gte: { usage: 'gte a b', params: ['value', 'value'], run: (meter, a, b) => order(meter, a, b) >= 0 },
    lt: { usage: 'lt a b', params: ['value', 'value'], run: (meter, a, b) => order(meter, a, b) < 0 },
    lte: { usage: 'lte a b', params: ['value', 'value'], run: (meter, a, b) => order(meter, a, b) <= 0 },
    and: {
      usage: 'and a b …',
      params: ['value', 'value'],
      repeats: true,
      run: (_meter, ...all) => all.every(isTrue),
    },
    or: {
      usage: 'or a b …',
      params: ['value', 'value'],
      repeats: true,
      run: (_meter, ...all) => all.some(isTrue),
    },
    not: { usage: 'not x', params: ['value'], run: (_meter, x) => !isTrue(x) },
  }),
);

/** Whether there is no value: nothing, an empty text or an empty list. `0` and `false` are values. */
export function isEmpty(value: Value): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}

/** What `{{#if}}` asks: there is a value, and it is neither `0` nor `false`. */
export function isTrue(value: Value): boolean {
  return !isEmpty(value) && value !== 0 && value !== false;
}

/** The text of any value, counted against the bounds. */
export function read(meter: Meter, value: Value): string {
  return spent(meter, formatItem(value));
}

function spent(meter: Meter, text: string): string {
  meter.spend(text.length);
  return text;
}

function truncated(text: string, length: number, ending: string): string {
  if (text.length <= length) return text;
  const kept = text.slice(0, Math.max(0, length - ending.length));
  return (endsInHalfCharacter(kept) ? kept.slice(0, -1) : kept) + ending.slice(0, length);
}

function endsInHalfCharacter(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}

function replaced(meter: Meter, text: string, search: string, by: string): string {
  if (search === '') return text;
  const parts = text.split(search);
  meter.spend((parts.length - 1) * by.length);
  return parts.join(by);
}

function joined(meter: Meter, list: Value, separator: string): string {
  if (!Array.isArray(list)) return read(meter, list);
  meter.spend(list.length * separator.length);
  return list.map((item) => read(meter, item)).join(separator);
}

function rounded(meter: Meter, value: Value, places: Value): string {
  const number = numeric(value);
  if (number === undefined) return read(meter, value);
  if (places === undefined || Math.abs(number) >= 1e21) return plainNumber(number);
  return number.toFixed(integer(places, 0, MAX_PLACES));
}

function lengthOf(value: Value): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return value !== null && typeof value === 'object' ? Object.keys(value).length : 0;
}

function contains(meter: Meter, value: Value, part: Value): boolean {
  const wanted = read(meter, part);
  if (Array.isArray(value)) return value.some((item) => read(meter, item) === wanted);
  return wanted !== '' && read(meter, value).includes(wanted);
}

/** Above, below or equal to zero as `a` is to `b`; NaN, which no comparison holds for, where one is missing. */
function order(meter: Meter, a: Value, b: Value): number {
  if (isEmpty(a) || isEmpty(b)) return Number.NaN;
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : 0;
  const [left, right] = [read(meter, a), read(meter, b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : undefined;
}

function integer(value: Value, min: number, max: number): number {
  const number = Math.trunc(numeric(value) ?? min);
  return Math.min(max, Math.max(min, number));
}

function checkInteger(argument: Expression | undefined, min: number, max: number): string | undefined {
  if (argument?.kind !== 'literal') return undefined;
  const { value } = argument;
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  return fits ? undefined : `needs a whole number from ${min} to ${max}`;
}
