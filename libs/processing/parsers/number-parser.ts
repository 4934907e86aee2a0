import type { Json } from '#libs/common';
import { answerText, quoted, unfenced } from './answer-text.js';
import { plainAnswer } from './find-json.js';
import { ParseError, type Parser } from './parser.js';
import { safeJson } from './safe-json.js';
import { wrappedSchema } from './wrapped-schema.js';

const MAX_LENGTH = 1000;
const NUMBER =
  /(?<![\w.,])([-+\u2212]?)[$€£¥]?([-+\u2212]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d{1,3})?)(?!\w|[.,]\d)/gi;
/** A sign or an accountant's bracket that might or might not belong to the number after it. */
const UNCLEAR_BEFORE = /(?:[-\u2212–(]\s*|\bminus\s+|\bnegative\s+)$/i;
/** A word that would multiply the number before it, or a fraction. */
const UNCLEAR_AFTER = /^\s*(?:(?:k|m|b|bn|mn|mio|hundred|thousand|million|billion|trillion)\b|\/|[½¼¾⅓⅔])/i;

/**
 * The one number of an answer: `1,234.5`, `$1,200`, `-3e2`; `12%` is 12. Words around it are accepted as
 * long as they hold no second number and nothing that might change it (`1.2 million`, `(5)`, `1/2`).
 */
export const numberParser: Parser = {
  outputType: 'number',
  instructions: () =>
    'Answer with one number in digits, with a point for decimals: no unit, no words such as million.',
  responseSchema: () => wrappedSchema({ type: 'number' }),
  parse: (text) => toNumber(plainAnswer(unfenced(answerText(text)))),
};

function toNumber(answer: Json): number {
  if (typeof answer === 'number') return answer;
  if (typeof answer !== 'string')
    throw new ParseError('The answer is not a number. Answer with one number in digits.');
  if (answer.length > MAX_LENGTH)
    throw new ParseError('The answer is too long for one number. Answer with the number alone.');
  const [found, second] = [...answer.matchAll(NUMBER)];
  if (!found)
    throw new ParseError(
      `The answer ${quoted(answer)} holds no number that can be read. Answer with one number such as 1234.5.`,
    );
  if (second)
    throw new ParseError(`The answer ${quoted(answer)} holds more than one number. Answer with exactly one.`);
  return readNumber(answer, found);
}

function readNumber(answer: string, found: RegExpExecArray): number {
  const [whole, sign = '', innerSign = '', digits = ''] = found;
  const before = answer.slice(0, found.index);
  const after = answer.slice(found.index + whole.length);
  if ((sign && innerSign) || UNCLEAR_BEFORE.test(before) || UNCLEAR_AFTER.test(after)) {
    throw new ParseError(
      `The number in ${quoted(answer)} can be read in two ways. Answer with plain digits, such as -1200000.`,
    );
  }
  const value = safeJson(Number(digits.replaceAll(',', ''))) as number;
  return /[-\u2212]/.test(sign + innerSign) && value !== 0 ? -value : value;
}
