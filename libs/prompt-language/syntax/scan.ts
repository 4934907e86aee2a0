import type { Faults } from './faults.js';
import { closeOf, endOfRun, lastClosingTags, longCommentEnd, tagContent } from './tag-shape.js';
import { identifierEnd, type Token } from './tokens.js';

/**
 * Splits a template into text, placeholders and tags in one pass, whose time is linear in its length
 * whatever it holds. Braces and angle brackets that are no form of the language are text.
 *
 * @param isName whether `<name>` names something; any other tag in angle brackets is text
 */
export function scan(source: string, isName: (name: string) => boolean, faults: Faults): Token[] {
  return new Scanner(source, isName, faults).run();
}

const CLOSING = new Map([
  ['{', '}'],
  ['<', '>'],
]);

class Scanner {
  private readonly tokens: Token[] = [];
  private readonly lastClosing: ReadonlyMap<string, number>;
  private at = 0;
  /** The text before `at` that is in no token yet, and where the part of it still to be copied begins. */
  private text = '';
  private copied = 0;

  constructor(
    private readonly source: string,
    private readonly isName: (name: string) => boolean,
    private readonly faults: Faults,
  ) {
    this.lastClosing = lastClosingTags(source);
  }

  run(): Token[] {
    while (this.at < this.source.length) {
      const char = this.source[this.at];
      if (char === '\\') this.backslashes();
      else if (char === '{' || char === '<') this.form();
      else this.at += 1;
    }
    this.endText();
    return this.tokens;
  }

  private form(): void {
    const end = this.placeholderEnd(this.at);
    if (end > 0) this.placeholder(end);
    else if (this.source.startsWith('{{', this.at)) this.tag();
    else this.at += 1;
  }

  private placeholder(end: number): void {
    const start = this.at;
    const name = this.source.slice(start + 1, end - 1);
    this.emit(name === '*' ? { kind: 'all', start } : { kind: 'name', start, name }, end);
  }

  /** The end of `{name}`, `{*}`, `<name>` or `<*>`; 0 where there is none. */
  private placeholderEnd(start: number): number {
    const close = CLOSING.get(this.source[start] ?? '');
    if (close === undefined) return 0;
    const end = this.source[start + 1] === '*' ? start + 2 : identifierEnd(this.source, start + 1);
    if (end === start + 1 || this.source[end] !== close) return 0;
    return close === '>' && !this.isAngleName(start, end) ? 0 : end + 1;
  }

  private isAngleName(start: number, end: number): boolean {
    const name = this.source.slice(start + 1, end);
    return name === '*' || (this.isName(name) && (this.lastClosing.get(name) ?? -1) < start);
  }

  /** Before a form, two backslashes are one, and an odd one makes the form text; elsewhere they are themselves. */
  private backslashes(): void {
    const start = this.at;
    const end = endOfRun(this.source, '\\', start);
    this.at = end;
    if (!this.source.startsWith('{{', end) && this.placeholderEnd(end) === 0) return;
    const count = end - start;
    this.copyTo(start + Math.floor(count / 2));
    this.copied = end;
    if (count % 2 === 1) this.at = this.source[end] === '{' ? endOfRun(this.source, '{', end) : end + 1;
  }

  private tag(): void {
    const start = this.at;
    const braces = endOfRun(this.source, '{', start) - start;
    if (braces > 3) {
      this.faults.add(
        start,
        'Raw blocks {{{{…}}}} are not part of the language: write \\{ before braces that are text.',
      );
      this.at = start + braces;
      return;
    }
    const stripBefore = this.source[start + braces] === '~';
    const from = start + braces + (stripBefore ? 1 : 0);
    if (this.source[from] === '!') this.comment(start, from, stripBefore);
    else this.expressionTag(start, from, braces, stripBefore);
  }

  private comment(start: number, from: number, stripBefore: boolean): void {
    const long = this.source.startsWith('!--', from);
    const to = long ? longCommentEnd(this.source, from + 3) : this.source.indexOf('}}', from);
    if (to < 0) {
      this.faults.add(start, `The comment is not closed: end it with ${long ? '--}}' : '}}'}.`);
      this.at = this.source.length;
      return;
    }
    const end = this.source.indexOf('}}', to);
    const stripAfter = this.source[end - 1] === '~';
    this.emit({ kind: 'tag', role: 'comment', start, from, to, stripBefore, stripAfter }, end + 2);
  }

  private expressionTag(start: number, from: number, braces: number, stripBefore: boolean): void {
    const { close, found } = closeOf(this.source, from);
    if (!found) {
      this.faults.add(
        start,
        'The tag {{ is not closed by }}: close it, or write \\{{ for two braces of text.',
      );
      this.at = close;
      return;
    }
    if (braces === 3 && this.source[close + 2] !== '}') {
      this.faults.add(start, 'The tag {{{ is not closed by }}}: write {{ and }}.');
    }
    const stripAfter = close > from && this.source[close - 1] === '~';
    const to = stripAfter ? close - 1 : close;
    const end = close + (this.source[close + 2] === '}' ? braces : 2);
    const content = this.faults.catching(() => tagContent(this.source, start, from, to));
    if (content) this.emit({ kind: 'tag', start, to, stripBefore, stripAfter, ...content }, end);
    else this.at = end;
  }

  private emit(token: Token, end: number): void {
    this.endText();
    this.tokens.push(token);
    this.at = end;
    this.copied = end;
  }

  private endText(): void {
    this.copyTo(this.at);
    if (this.text !== '') this.tokens.push({ kind: 'text', value: this.text });
    this.text = '';
  }

  private copyTo(end: number): void {
    this.text += this.source.slice(this.copied, end);
    this.copied = end;
  }
}
