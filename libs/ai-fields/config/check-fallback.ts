import { isDeepStrictEqual } from 'node:util';
import type { ErrorDetail, Json } from '#libs/common';
import { ParseError, type Parser, type ParserOptions } from '#libs/processing';

/** What is wrong with a fallback: it is stored as an answer is, so it must be what an answer would be kept as. */
export function fallbackErrors(
  fallback: Json | undefined,
  parser: Parser,
  options: ParserOptions,
): ErrorDetail[] {
  if (fallback === undefined) return [];
  // An answer says a text as it is, or, where the output is JSON, in quotes.
  const [said, ...others] =
    typeof fallback === 'string' ? [fallback.trim(), JSON.stringify(fallback)] : [JSON.stringify(fallback)];
  const isKept = (text: string): boolean => faultOf(text, fallback, parser, options) === undefined;
  const fault = faultOf(said!, fallback, parser, options);
  if (fault === undefined || others.some(isKept)) return [];
  return [{ path: 'ai_config.fallback_value', message: fault }];
}

function faultOf(text: string, fallback: Json, parser: Parser, options: ParserOptions): string | undefined {
  try {
    const kept = parser.parse(text, options);
    if (isDeepStrictEqual(kept, typeof fallback === 'string' ? fallback.trim() : fallback)) return undefined;
    return `would be kept as ${JSON.stringify(kept).slice(0, 200)}: write it like that`;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return `is no value of the output type ${parser.outputType}: ${error.message}`;
  }
}
