import { answerText, quoted, unfenced } from './answer-text.js';
import { plainAnswer } from './find-json.js';
import { ParseError, type Parser } from './parser.js';
import { tidy } from './tidy.js';
import { wrappedSchema } from './wrapped-schema.js';

const WORDS = new Map([
  ['true', true],
  ['yes', true],
  ['false', false],
  ['no', false],
]);

/** `true`, `false`, `yes` or `no`, in any case and with a full stop or quotes, but no other word. */
export const booleanParser: Parser = {
  outputType: 'boolean',
  instructions: () => 'Answer with true or false and nothing else.',
  responseSchema: () => wrappedSchema({ type: 'boolean' }),
  parse: (text) => {
    const answer = plainAnswer(unfenced(answerText(text)));
    if (typeof answer === 'boolean') return answer;
    const shown = typeof answer === 'string' ? answer : JSON.stringify(answer);
    const value = WORDS.get(tidy(shown).toLowerCase());
    if (value === undefined)
      throw new ParseError(
        `The answer ${quoted(shown)} is neither true nor false. Answer with one of the two words.`,
      );
    return value;
  },
};
