import { isDeepStrictEqual } from 'node:util';
import { canonicalJson, type Json } from '#libs/common';
import { ParseError, type Parser, type ParserOptions } from '#libs/processing';

/**
 * What is wrong with a value that no model answered, or undefined: it stands where answers do, so it must be what an answer
 * would be kept as. Neither the white space around a text counts nor the order in which a list names its members.
 */
export function valueFault(value: Json, parser: Parser, options: ParserOptions): string | undefined {
  // An answer says a text as it is, or, where the output is JSON, in quotes.
  const [said, ...others] =
    typeof value === 'string' ? [value.trim(), JSON.stringify(value)] : [JSON.stringify(value)];
  const isKept = (text: string): boolean => faultOf(text, value, parser, options) === undefined;
  const fault = faultOf(said!, value, parser, options);
  return fault === undefined || others.some(isKept) ? undefined : fault;
}

function faultOf(text: string, value: Json, parser: Parser, options: ParserOptions): string | undefined {
  try {
    const kept = parser.parse(text, options);
    if (isSame(kept, value)) return undefined;
    return `would be kept as ${JSON.stringify(kept).slice(0, 200)}: write it like that`;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return `is no value of the output type ${parser.outputType}: ${error.message}`;
  }
}

function isSame(kept: Json, value: Json): boolean {
  if (typeof value === 'string') return kept === value.trim();
  if (!Array.isArray(kept) || !Array.isArray(value)) return isDeepStrictEqual(kept, value);
  return isDeepStrictEqual(sorted(kept), sorted(value));
}

function sorted(list: readonly Json[]): string[] {
  return list.map((member) => canonicalJson(member)).sort();
}
