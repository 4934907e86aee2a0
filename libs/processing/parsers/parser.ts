import { FieldsmithError, type ErrorDetail, type Json } from '#libs/common';

/** What a configuration says about the wanted value. Which member is used depends on the output type. */
export interface ParserOptions {
  /** The values to choose from: `select`, `multi_select`. */
  choices?: readonly string[];
  /** A JSON Schema, draft 2020-12: `structured`, and `json` if given. */
  schema?: Record<string, Json>;
}

/** The form of an answer that a provider with structured output can be held to. */
export interface ResponseSchema {
  name: string;
  schema: Record<string, Json>;
}

/**
 * Turns the text that a model answered into a value of one output type. A host adds its own to the
 * `ParserRegistry`.
 *
 * @example
 * const upper: Parser = {
 *   outputType: 'upper',
 *   instructions: () => 'Answer in capital letters.',
 *   parse: (text) => text.toUpperCase(),
 * };
 */
export interface Parser {
  readonly outputType: string;
  /** Sentences appended to the system message so that the model answers in the right form; '' if none are needed. */
  instructions(options: ParserOptions): string;
  /** The schema to ask structured output with; undefined where plain text serves better. */
  responseSchema?(options: ParserOptions): ResponseSchema | undefined;
  /** Everything wrong with a configuration; paths are relative to the options, such as `choices[2]`. */
  check?(options: ParserOptions): ErrorDetail[];
  /**
   * The value that the answer holds. Never guesses: what can be read in two ways is an error.
   *
   * @throws ParseError whose message may be sent back to the model to have the answer repaired
   */
  parse(text: string, options: ParserOptions): Json;
}

/**
 * An answer that does not hold a value of the wanted output type; status 502. The message says what to
 * change, in words for the model, and repeats at most 200 characters of the answer.
 */
export class ParseError extends FieldsmithError {
  constructor(message: string, cause?: unknown) {
    super('parse_failed', message, { status: 502, cause });
    this.name = 'ParseError';
  }
}
