import type { Json } from '#libs/common';
import { soleBlock } from './answer-text.js';
import { ParseError } from './parser.js';
import { isObject, safeJson } from './safe-json.js';

/** Square brackets of prose, such as `[1]` or `[see below]`, hold none of these. */
const STRUCTURE = /["{[]/;

/**
 * The one JSON value of an answer: the whole of it, the content of its one code block, or the one object
 * or array amid prose. Linear in the length of the text.
 *
 * @throws ParseError when there is none, more than one, or one that is not valid JSON
 */
export function findJson(text: string): Json {
  const whole = parsed(text);
  if (whole.ok) return safeJson(whole.value);
  const block = soleBlock(text);
  if (block === undefined) return safeJson(amidProse(text, whole.fault));
  const inside = parsed(block);
  if (!inside.ok) throw notJson(inside.fault);
  return safeJson(inside.value);
}

/**
 * The answer to a question for one plain value: the member `value` of `{"value": …}`, as structured output
 * gives it, the content of a JSON array or string, or the text itself.
 *
 * @throws ParseError when the answer is an object of another form
 */
export function plainAnswer(text: string): Json {
  if (text.startsWith('{')) return wrappedValue(findJson(text));
  if (!/^["[]/.test(text)) return text;
  const whole = parsed(text);
  return whole.ok ? safeJson(whole.value) : text;
}

/** The member of an object that has `value` and nothing else. */
export function wrappedValue(json: Json): Json {
  const value = isObject(json) && Object.keys(json).length === 1 ? json['value'] : undefined;
  if (value === undefined)
    throw new ParseError(
      'The answer is an object without exactly one member "value". Answer with the value alone.',
    );
  return value;
}

type Parsed = { ok: true; value: unknown } | { ok: false; fault: string };

function parsed(text: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, fault: (error as Error).message.slice(0, 150) };
  }
}

function notJson(fault: string): ParseError {
  return new ParseError(
    `The answer is not valid JSON: ${fault}. Answer with one complete JSON value and nothing else.`,
  );
}

function amidProse(text: string, fault: string): unknown {
  const found: unknown[] = [];
  for (let start = nextBracket(text, 0); start >= 0;) {
    const end = closingBracket(text, start);
    if (end < 0) throw notJson('a bracket is never closed');
    const piece = parsed(text.slice(start, end));
    if (piece.ok && found.push(piece.value) > 1) {
      throw new ParseError('The answer holds more than one JSON value. Answer with exactly one.');
    }
    // A broken piece is skipped only if it is plainly prose: what follows a broken value is not the value.
    if (!piece.ok && (text[start] === '{' || STRUCTURE.test(text.slice(start + 1, end))))
      throw notJson(piece.fault);
    start = nextBracket(text, end);
  }
  if (found.length === 0) throw notJson(fault);
  return found[0];
}

function nextBracket(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (text[at] === '{' || text[at] === '[') return at;
  return -1;
}

/** The position after the bracket that closes the one at `start`, minding strings; -1 if it is never closed. */
function closingBracket(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return -1;
}
