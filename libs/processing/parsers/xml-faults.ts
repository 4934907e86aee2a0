import { quoted } from './answer-text.js';
import { MAX_DEPTH } from './safe-json.js';

/** An `&` that begins none of the five entities of XML and no character reference. */
const STRAY_AMPERSAND = /&(?!(?:amp|lt|gt|quot|apos|#[1-9]\d{0,6}|#x[1-9a-f][\da-f]{0,5});)/i;
const DECLARATION = /^<\?xml\s/i;
const COMMENT = { start: '<!--', end: '-->' };
const CDATA = { start: '<![CDATA[', end: ']]>' };

interface State {
  depth: number;
  roots: number;
}

/**
 * What the validator of fast-xml-parser lets pass: document types, processing instructions, unknown
 * entities, more than one root, text outside it, and deep nesting. Linear in the length of the text.
 */
export function xmlFault(xml: string): string | undefined {
  const state: State = { depth: 0, roots: 0 };
  for (let at = 0; at < xml.length;) {
    const end = xml[at] === '<' ? markupEnd(xml, at) : textEnd(xml, at);
    if (end < 0) return `${quoted(xml.slice(at, at + 20))} is never closed`;
    const fault = pieceFault(xml.slice(at, end), at, state);
    if (fault) return fault;
    at = end;
  }
  return undefined;
}

function pieceFault(piece: string, at: number, state: State): string | undefined {
  if (piece.startsWith(COMMENT.start)) return undefined;
  if (piece.startsWith(CDATA.start))
    return state.depth === 0 ? 'there is text outside the root element' : undefined;
  if (piece.startsWith('<!')) return 'DOCTYPE and entity declarations are not accepted';
  if (piece.startsWith('<?'))
    return at === 0 && DECLARATION.test(piece) ? undefined : 'processing instructions are not accepted';
  if (STRAY_AMPERSAND.test(piece)) return 'an "&" begins no known entity: write &amp;';
  return piece.startsWith('<') ? tagFault(piece, state) : textFault(piece, state);
}

function tagFault(tag: string, state: State): string | undefined {
  if (tag.includes('<', 1)) return `a "<" stands inside the tag ${quoted(tag, 40)}: write &lt;`;
  if (tag.startsWith('</')) {
    state.depth--;
    return undefined;
  }
  if (state.depth === 0 && state.roots++ > 0) return 'there is more than one root element';
  if (!tag.endsWith('/>')) state.depth++;
  return state.depth > MAX_DEPTH ? `elements are nested more than ${MAX_DEPTH} levels deep` : undefined;
}

function textFault(text: string, { depth }: State): string | undefined {
  return depth === 0 && text.trim() !== '' ? 'there is text outside the root element' : undefined;
}

function textEnd(xml: string, at: number): number {
  const next = xml.indexOf('<', at);
  return next < 0 ? xml.length : next;
}

/** The position after the markup that begins at `at`, or -1 if it does not end. */
function markupEnd(xml: string, at: number): number {
  for (const { start, end } of [COMMENT, CDATA]) {
    if (xml.startsWith(start, at)) return after(xml, end, at + start.length);
  }
  return tagEnd(xml, at);
}

function tagEnd(xml: string, at: number): number {
  let quote = '';
  for (let i = at; i < xml.length; i++) {
    const char = xml[i] ?? '';
    if (quote) quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === '>') return i + 1;
  }
  return -1;
}

function after(xml: string, mark: string, from: number): number {
  const found = xml.indexOf(mark, from);
  return found < 0 ? -1 : found + mark.length;
}
