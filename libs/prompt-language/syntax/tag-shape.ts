import { SyntaxFault } from './faults.js';
import { identifierEnd, isSpace, type TagRole } from './tokens.js';

const REFUSED_TAGS: readonly (readonly [prefix: string, message: string])[] = [
  ['#>', 'Partials are not part of the language: write the text here.'],
  ['>', 'Partials are not part of the language: write the text here.'],
  ['#*', 'Decorators are not part of the language.'],
  ['*', 'Decorators are not part of the language: write {*} for all fields.'],
];

/** The `}}` that closes a tag, outside quotes; where none is found, where the search ended. */
export function closeOf(source: string, from: number): { close: number; found: boolean } {
  for (let at = from; at < source.length; at += 1) {
    const char = source[at];
    if (char === '"' || char === "'") at = Math.max(at, quoteEnd(source, at));
    else if (char === '}' && source[at + 1] === '}') return { close: at, found: true };
    else if (char === '{' && source[at + 1] === '{') return { close: at, found: false };
  }
  return { close: source.length, found: false };
}

/** The quote that ends a string, on the same line; -1 where there is none. */
function quoteEnd(source: string, start: number): number {
  const quote = source[start];
  for (let at = start + 1; at < source.length && source[at] !== '\n'; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source[at] === quote) return at;
  }
  return -1;
}

/** The `--` of the `--}}` or `--~}}` that ends a comment; -1 where there is none. */
export function longCommentEnd(source: string, from: number): number {
  let at = source.indexOf('--', from);
  while (at >= 0 && !source.startsWith('}}', at + 2) && !source.startsWith('~}}', at + 2)) {
    at = source.indexOf('--', at + 1);
  }
  return at;
}

/**
 * What the tag does whose content stands in the given range, and where the rest of the content begins.
 *
 * @throws SyntaxFault where it is a kind of tag that the language leaves out
 */
export function tagContent(
  source: string,
  start: number,
  from: number,
  to: number,
): { role: TagRole; from: number } {
  const refused = REFUSED_TAGS.find(([prefix]) => source.startsWith(prefix, from));
  if (refused) throw new SyntaxFault(start, refused[1]);
  const first = source[from];
  if (first === '#') return { role: 'open', from: from + 1 };
  if (first === '/') return { role: 'close', from: from + 1 };
  if (first === '&') return { role: 'print', from: from + 1 };
  if (first === '^') return inverse(source, start, from + 1, to);
  const word = skipSpace(source, from);
  const isElse = source.startsWith('else', word) && (word + 4 === to || isSpace(source[word + 4]));
  return isElse ? { role: 'else', from: word + 4 } : { role: 'print', from };
}

function inverse(source: string, start: number, from: number, to: number): { role: TagRole; from: number } {
  if (skipSpace(source, from) >= to) return { role: 'else', from };
  throw new SyntaxFault(
    start,
    'Inverse blocks {{^x}} are not part of the language: write {{#unless x}}…{{/unless}}.',
  );
}

function skipSpace(source: string, from: number): number {
  let at = from;
  while (isSpace(source[at])) at += 1;
  return at;
}

/** Where a run of one character ends that begins at an offset. */
export function endOfRun(source: string, char: string, from: number): number {
  let at = from;
  while (source[at] === char) at += 1;
  return at;
}

/** Where the last `</name>` of each name is: `<name>` before it is a tag of the text, not a placeholder. */
export function lastClosingTags(source: string): Map<string, number> {
  const last = new Map<string, number>();
  for (let at = source.indexOf('</'); at >= 0; at = source.indexOf('</', at + 2)) {
    const end = identifierEnd(source, at + 2);
    if (end > at + 2 && source[end] === '>') last.set(source.slice(at + 2, end), at);
  }
  return last;
}
