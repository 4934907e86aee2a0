import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { PROMPT_LIMITS } from '../limits.js';

/** A function where making the text costs something. */
type Text = string | (() => string);

/** A fault of one tag that stops the reading of this tag only. */
export class SyntaxFault extends Error {
  constructor(
    readonly offset: number,
    readonly text: Text,
  ) {
    super('A tag of the template cannot be read.');
  }
}

/** A name of the template as a message shows it: in quotes and of bounded length. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name);
}

const LONGEST_NAME = 60;

interface Fault {
  offset: number;
  text: Text;
}

/** Everything found wrong with one template. */
export class Faults {
  private readonly found: Fault[] = [];

  constructor(
    private readonly source: string,
    private readonly path: string,
  ) {}

  add(offset: number, text: Text): void {
    this.found.push({ offset, text });
  }

  /** Runs a reading that may stop at a {@link SyntaxFault}, which is then noted; undefined where it stopped. */
  catching<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      this.add(error.offset, error.text);
      return undefined;
    }
  }

  /** @throws InvalidInputError `invalid_prompt` with every fault in the order of the text. */
  throwIfAny(): void {
    if (this.found.length === 0) return;
    const inOrder = [...this.found].sort((a, b) => a.offset - b.offset);
    const errors = inOrder.slice(0, PROMPT_LIMITS.errors).map((fault) => this.detail(fault));
    const more = inOrder.length - errors.length;
    if (more > 0) errors.push({ path: this.path, message: `There are ${more} more errors.` });
    throw new InvalidInputError(errors, 'invalid_prompt');
  }

  /** `line:column` of an offset, both from 1. */
  position(offset: number): string {
    let line = 1;
    let lineStart = 0;
    for (let at = this.source.indexOf('\n'); at >= 0 && at < offset; at = this.source.indexOf('\n', at + 1)) {
      line += 1;
      lineStart = at + 1;
    }
    return `${line}:${offset - lineStart + 1}`;
  }

  private detail({ offset, text }: Fault): ErrorDetail {
    const sentence = typeof text === 'string' ? text : text();
    return { path: this.path, message: `${this.position(offset)}: ${sentence}` };
  }
}
