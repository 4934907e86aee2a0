import { ParseError } from './parser.js';

/** The longest answer that is read, in bytes of UTF-8. */
export const MAX_ANSWER_BYTES = 1_048_576;

/** What Postgres can hold neither as text nor in JSON: NUL and halves of surrogate pairs. */
const UNSTORABLE = /\0|\p{Surrogate}/u;
/** No fewer tildes than there are: each number of them would be tried against all that follows. */
const FENCE = /^(`{3,}|~{3,}(?!~))([^`]*)$/;

/**
 * The answer without the white space around it, within the bounds that every output type shares.
 *
 * @throws ParseError when it is empty, longer than {@link MAX_ANSWER_BYTES}, or holds characters no field can store
 */
export function answerText(text: string): string {
  if (Buffer.byteLength(text) > MAX_ANSWER_BYTES) {
    throw new ParseError('The answer is longer than 1 MB. Answer more briefly.');
  }
  requireStorable(text);
  const trimmed = text.trim();
  if (trimmed === '') throw new ParseError('The answer is empty. Answer with a value.');
  return trimmed;
}

/** @throws ParseError when the text holds a character that no field can store */
export function requireStorable(text: string): void {
  if (UNSTORABLE.test(text)) {
    throw new ParseError(
      'The answer holds a NUL character or half a surrogate pair. Leave such characters out.',
    );
  }
}

/**
 * What stands inside the one code block of an answer, or undefined if it has none. Fences count only at
 * the start of a line, because an indented one belongs to the content; the last line may be indented.
 *
 * @throws ParseError when there are several blocks, or one that is not closed (an answer cut short)
 */
export function soleBlock(text: string): string | undefined {
  const blocks = codeBlocks(text);
  if (blocks.length > 1) {
    throw new ParseError(`The answer holds ${blocks.length} code blocks. Answer with exactly one.`);
  }
  return blocks[0]?.trim();
}

/** The content of the one code block, else the whole text. */
export function unfenced(text: string): string {
  return soleBlock(text) ?? text;
}

/** A short, quoted piece of an answer or a name for a message. */
export function quoted(text: string, max = 60): string {
  return JSON.stringify(text.length > max ? `${text.slice(0, max)}…` : text);
}

function codeBlocks(text: string): string[] {
  const blocks: string[] = [];
  let open: { mark: string; lines: string[] } | undefined;
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const last = index === lines.length - 1;
    const [, mark, info = ''] = FENCE.exec(last ? line.trim() : line.trimEnd()) ?? [];
    if (!open) {
      if (mark) open = { mark, lines: [] };
    } else if (mark?.startsWith(open.mark) && info.trim() === '') {
      blocks.push(open.lines.join('\n'));
      open = undefined;
    } else {
      open.lines.push(line);
    }
  }
  if (open)
    throw new ParseError(
      'The code block of the answer is not closed. Answer completely, and more briefly if need be.',
    );
  return blocks;
}
