import { countTokens as countOf, decode, encode } from 'gpt-tokenizer/encoding/o200k_base';

/** Special tokens such as `<|endoftext|>` are text like any other: the tokenizer would throw on them. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };
/** The tokenizer is superlinear on unbroken runs: a run longer than this is cut, at the cost of a token or so per cut. */
const LONGEST_RUN = 512;
const WINDOW = 4096;

/**
 * Counts the tokens of a text as the o200k encoding of OpenAI's models does. Exact for ordinary text; in unbroken
 * runs of more than 512 characters it may be off by one for every 512 of them. Time is linear in the length.
 *
 * @example countTokens('hello world') // 2
 */
export function countTokens(text: string): number {
  let total = 0;
  for (const chunk of chunksOf(text)) total += countOf(chunk, AS_TEXT);
  return total;
}

/** The first `limit` tokens of a text, or the whole text where it has no more than that. */
export function firstTokens(text: string, limit: number): { text: string; tokens: number; cut: boolean } {
  let kept = '';
  let tokens = 0;
  for (const chunk of chunksOf(text)) {
    const encoded = encode(chunk, AS_TEXT);
    if (tokens + encoded.length > limit) {
      const head = commonStart(decode(encoded.slice(0, limit - tokens)), chunk);
      return { text: kept + head, tokens: limit, cut: true };
    }
    kept += chunk;
    tokens += encoded.length;
  }
  return { text: kept, tokens, cut: false };
}

function* chunksOf(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > WINDOW) {
    const end = cutBefore(text, start);
    yield text.slice(start, end);
    start = end;
  }
  yield* runsOf(text.slice(start));
}

/** The encoding never joins a word with the space after it, so cutting there changes no count. */
function cutBefore(text: string, start: number): number {
  for (let at = start + WINDOW; at > start + LONGEST_RUN; at--) {
    if (text[at] === ' ' && isLetter(text[at - 1]) && isLetter(text[at + 1])) return at;
  }
  return wholeCharacter(text, start + LONGEST_RUN);
}

function* runsOf(text: string): Generator<string> {
  if (text.length <= LONGEST_RUN || !/\S{512}|\s{512}/.test(text)) {
    yield text;
    return;
  }
  for (let start = 0; start < text.length;) {
    const end = wholeCharacter(text, Math.min(start + LONGEST_RUN, text.length));
    yield text.slice(start, end);
    start = end;
  }
}

/** Tokens may end inside a character, which then decodes to something else. */
function commonStart(decoded: string, text: string): string {
  let length = 0;
  while (length < decoded.length && decoded[length] === text[length]) length += 1;
  return text.slice(0, isHighSurrogate(text, length - 1) ? length - 1 : length);
}

function isHighSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xd800 && code <= 0xdbff;
}

function isLetter(character: string | undefined): boolean {
  return character !== undefined && /[A-Za-z]/.test(character);
}

function wholeCharacter(text: string, at: number): number {
  return isHighSurrogate(text, at - 1) && at < text.length ? at + 1 : at;
}
