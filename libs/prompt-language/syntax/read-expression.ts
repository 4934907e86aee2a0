import { PROMPT_LIMITS } from '../limits.js';
import type { Call, Expression, LoopVariable, Path } from './expression.js';
import { SyntaxFault } from './faults.js';
import { isDigit, isSpace, isWordChar } from './tokens.js';

const WORDS = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['undefined', null],
]);
const ESCAPES = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
]);
/** Characters of Handlebars syntax that only stand for something this language leaves out. */
const REFUSED = new Map([
  ['|', 'Block parameters are not part of the language: use this, @index and ../name.'],
  ['=', 'Named arguments are not part of the language.'],
  ['{', 'A tag holds names, texts in quotes, numbers and (helper calls), not braces.'],
  ['/', 'Write a.b for a part of a value; / follows only .. and a dot.'],
]);

/** Reads what stands inside one tag. Each method stops at a {@link SyntaxFault}. */
export class ExpressionReader {
  private depth = 0;

  constructor(
    private readonly source: string,
    private at: number,
    private readonly end: number,
  ) {}

  /** The content of `{{…}}`: a value, or a helper with its arguments. */
  statement(): Expression {
    this.skipSpace();
    const head = this.operand();
    const args = this.operandsToEnd();
    if (args.length === 0) return head;
    if (head.kind === 'path' && head.isWord) {
      return { kind: 'call', at: head.at, name: String(head.segments[0]), args };
    }
    throw new SyntaxFault(head.at, 'Only the name of a helper can have arguments.');
  }

  /** The content of `{{#…}}` after the `#`, or of `{{else …}}`. */
  word(): { at: number; name: string } {
    this.skipSpace();
    const at = this.at;
    const name = this.wordHere();
    if (name === '') throw this.unexpected();
    return { at, name };
  }

  operandsToEnd(): Expression[] {
    const operands: Expression[] = [];
    for (this.skipSpace(); this.at < this.end; this.skipSpace()) operands.push(this.operand());
    return operands;
  }

  isAtEnd(): boolean {
    this.skipSpace();
    return this.at >= this.end;
  }

  private operand(): Expression {
    const at = this.at;
    const char = this.source[at];
    if (at < this.end) {
      if (char === '"' || char === "'") return { kind: 'literal', at, value: this.text(char) };
      if (char === '(') return this.call();
      if (char === '@') return this.loopVariable();
      if (char === '.') return this.dottedPath();
      if (this.numberStarts()) return { kind: 'literal', at, value: this.number() };
      if (isWordChar(this.source.charCodeAt(at)) || char === '[') return this.path();
    }
    throw this.unexpected();
  }

  private call(): Call {
    const at = this.at;
    this.at += 1;
    this.depth += 1;
    if (this.depth > PROMPT_LIMITS.nesting) throw new SyntaxFault(at, 'The brackets are nested too deep.');
    const { name } = this.word();
    const args: Expression[] = [];
    for (this.skipSpace(); this.source[this.at] !== ')'; this.skipSpace()) {
      if (this.at >= this.end) throw new SyntaxFault(at, 'The bracket ( is not closed by ).');
      args.push(this.operand());
    }
    this.at += 1;
    this.depth -= 1;
    return { kind: 'call', at, name, args };
  }

  private loopVariable(): LoopVariable {
    const at = this.at;
    while (this.at < this.end && !this.isBoundary()) this.at += 1;
    return { kind: 'loop', at, name: this.source.slice(at + 1, this.at) };
  }

  private path(): Expression {
    const at = this.at;
    const bracketed = this.source[at] === '[';
    const first = this.segment();
    const literal = bracketed || this.source[this.at] === '.' ? undefined : WORDS.get(first);
    if (literal !== undefined) return { kind: 'literal', at, value: literal };
    const segments = first === 'this' && !bracketed ? [] : [first];
    const start = segments.length;
    this.moreSegments(segments);
    return { kind: 'path', at, up: 0, segments, isWord: start === 1 && segments.length === 1 && !bracketed };
  }

  /** `.`, `./x`, `..`, `../x` and so on. */
  private dottedPath(): Path {
    const at = this.at;
    let up = 0;
    for (; this.source.startsWith('../', this.at); this.at += 3) up += 1;
    const segments: string[] = [];
    if (this.source.startsWith('..', this.at)) {
      up += 1;
      this.at += 2;
    } else if (this.source.startsWith('./', this.at)) {
      this.at += 2;
      this.pathAfterSlash(segments);
    } else if (this.source[this.at] === '.') this.at += 1;
    else this.pathAfterSlash(segments);
    this.expectBoundary();
    return { kind: 'path', at, up, segments, isWord: false };
  }

  private pathAfterSlash(segments: string[]): void {
    const bracketed = this.source[this.at] === '[';
    const first = this.segment();
    if (first !== 'this' || bracketed) segments.push(first);
    this.moreSegments(segments);
  }

  private moreSegments(segments: string[]): void {
    while (this.source[this.at] === '.' && this.at < this.end) {
      this.at += 1;
      segments.push(this.segment());
    }
    this.expectBoundary();
  }

  private segment(): string {
    if (this.source[this.at] !== '[') {
      const word = this.wordHere();
      if (word === '') throw this.unexpected();
      return word;
    }
    const length = this.source.slice(this.at, this.end).indexOf(']');
    if (length < 0) throw new SyntaxFault(this.at, 'The bracket [ is not closed by ].');
    const name = this.source.slice(this.at + 1, this.at + length);
    this.at += length + 1;
    return name;
  }

  /** Letters, digits, `_` and `-`; empty where none stand here. */
  private wordHere(): string {
    const from = this.at;
    while (
      this.at < this.end &&
      (isWordChar(this.source.charCodeAt(this.at)) || this.source[this.at] === '-')
    ) {
      this.at += 1;
    }
    return this.source.slice(from, this.at);
  }

  private numberStarts(): boolean {
    const digitAt = this.source[this.at] === '-' ? this.at + 1 : this.at;
    return isDigit(this.source.charCodeAt(digitAt)) && digitAt < this.end;
  }

  private number(): number {
    const from = this.at;
    this.at += 1;
    while (this.at < this.end && (isDigit(this.source.charCodeAt(this.at)) || this.source[this.at] === '.')) {
      this.at += 1;
    }
    const value = Number(this.source.slice(from, this.at));
    if (!Number.isFinite(value)) throw new SyntaxFault(from, 'This is not a number.');
    this.expectBoundary();
    return value;
  }

  private text(quote: string): string {
    const from = this.at;
    let value = '';
    for (this.at += 1; this.at >= this.end || this.source[this.at] !== quote; this.at += 1) {
      if (this.at >= this.end || this.source[this.at] === '\n') {
        throw new SyntaxFault(from, `The text is not closed by ${quote} on the same line.`);
      }
      const escape = this.source[this.at] === '\\' ? ESCAPES.get(this.source[this.at + 1] ?? '') : undefined;
      if (escape !== undefined) this.at += 1;
      value += escape ?? this.source[this.at];
    }
    this.at += 1;
    this.expectBoundary();
    return value;
  }

  private expectBoundary(): void {
    if (this.at < this.end && !this.isBoundary()) throw this.unexpected();
  }

  private isBoundary(): boolean {
    return isSpace(this.source[this.at]) || this.source[this.at] === ')';
  }

  private skipSpace(): void {
    while (this.at < this.end && isSpace(this.source[this.at])) this.at += 1;
  }

  private unexpected(): SyntaxFault {
    if (this.at >= this.end)
      return new SyntaxFault(this.at, 'Something is missing before the end of the tag.');
    const char = String.fromCodePoint(this.source.codePointAt(this.at) ?? 0);
    return new SyntaxFault(this.at, REFUSED.get(char) ?? `${JSON.stringify(char)} cannot stand here.`);
  }
}
