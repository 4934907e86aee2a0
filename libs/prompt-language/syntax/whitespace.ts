import type { TextToken, Token } from './tokens.js';

type Cut = 'nothing' | 'line' | 'all';

/**
 * Takes away the white space that belongs to tags, as Handlebars does: what `~` asks for, and the whole line
 * of a block tag or comment that stands alone on it.
 */
export function trimAroundTags(tokens: readonly Token[]): Token[] {
  return tokens.map((token, index) =>
    token.kind === 'text' ? { ...token, value: trimmed(token, tokens, index) } : token,
  );
}

function trimmed(text: TextToken, tokens: readonly Token[], index: number): string {
  const fromStart = cutAt(tokens, index - 1, 'stripAfter');
  const fromEnd = cutAt(tokens, index + 1, 'stripBefore');
  return cutEnd(cutStart(text.value, fromStart), fromEnd);
}

function cutAt(tokens: readonly Token[], tagIndex: number, strip: 'stripBefore' | 'stripAfter'): Cut {
  const tag = tokens[tagIndex];
  if (tag?.kind !== 'tag') return 'nothing';
  if (tag[strip]) return 'all';
  return tag.role !== 'print' && standsAlone(tokens, tagIndex) ? 'line' : 'nothing';
}

function standsAlone(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1];
  const after = tokens[index + 1];
  return (
    (before === undefined || (before.kind === 'text' && endsLine(before.value, index === 1))) &&
    (after === undefined || (after.kind === 'text' && startsLine(after.value, index === tokens.length - 2)))
  );
}

/** Only white space since the last line break, or since the start of the template. */
function endsLine(text: string, isFirst: boolean): boolean {
  const space = text.slice(text.trimEnd().length);
  return space.includes('\n') || (isFirst && space.length === text.length);
}

/** Only white space until the next line break, or until the end of the template. */
function startsLine(text: string, isLast: boolean): boolean {
  const space = text.slice(0, text.length - text.trimStart().length);
  return space.includes('\n') || (isLast && space.length === text.length);
}

function cutStart(text: string, cut: Cut): string {
  if (cut === 'nothing') return text;
  if (cut === 'all') return text.trimStart();
  let at = 0;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  if (text[at] === '\r' && text[at + 1] === '\n') at += 1;
  return text.slice(text[at] === '\n' ? at + 1 : at);
}

function cutEnd(text: string, cut: Cut): string {
  if (cut === 'nothing') return text;
  if (cut === 'all') return text.trimEnd();
  let end = text.length;
  while (text[end - 1] === ' ' || text[end - 1] === '\t') end -= 1;
  return text.slice(0, end);
}
