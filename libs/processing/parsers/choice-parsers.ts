import { InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import { answerText, quoted, unfenced } from './answer-text.js';
import { plainAnswer } from './find-json.js';
import { ParseError, type Parser, type ParserOptions } from './parser.js';
import { tidy } from './tidy.js';
import { wrappedSchema } from './wrapped-schema.js';

const MAX_CHOICES = 500;
const MAX_CHOICE_LENGTH = 200;

/** One of the choices. Case, quotes and a full stop are overlooked as long as only one choice fits. */
export const selectParser: Parser = {
  outputType: 'select',
  instructions: (options) =>
    `Answer with exactly one of these choices and nothing else: ${listed(choicesOf(options))}`,
  responseSchema: (options) => wrappedSchema({ type: 'string', enum: choicesOf(options) }),
  check: checkChoices,
  parse: (text, options) => {
    const choices = choicesOf(options);
    const raw = unfenced(answerText(text));
    if (choices.includes(raw)) return raw;
    const answer = plainAnswer(raw);
    if (typeof answer !== 'string')
      throw new ParseError(`The answer is not one choice. Answer with one of ${brief(choices)}.`);
    return choiceMatcher(choices)(answer);
  },
};

/**
 * Some of the choices, as a JSON array or separated by commas or lines; `[]` is none of them. Each piece
 * must be a choice; the value lists them once each, in the order of the choices.
 */
export const multiSelectParser: Parser = {
  outputType: 'multi_select',
  instructions: (options) =>
    `Answer with a JSON array and nothing else. It may hold only these choices, each at most once: ${listed(choicesOf(options))}`,
  responseSchema: (options) =>
    wrappedSchema({ type: 'array', items: { type: 'string', enum: choicesOf(options) } }),
  check: checkChoices,
  parse: (text, options) => {
    const choices = choicesOf(options);
    const raw = unfenced(answerText(text));
    const picked = new Set(piecesOf(raw, choices).map(choiceMatcher(choices)));
    return choices.filter((choice) => picked.has(choice));
  },
};

function piecesOf(raw: string, choices: string[]): string[] {
  if (choices.includes(raw)) return [raw];
  const answer = plainAnswer(raw);
  if (typeof answer === 'string') return choices.includes(answer) ? [answer] : separated(answer, choices);
  if (Array.isArray(answer) && answer.every((piece): piece is string => typeof piece === 'string'))
    return answer;
  throw new ParseError(
    `The answer is not a list of choices. Answer with a JSON array of some of ${brief(choices)}.`,
  );
}

/** The pieces between commas or lines, without the bullets of a list. */
function separated(answer: string, choices: string[]): string[] {
  const bounded = answer.length <= MAX_CHOICES * (MAX_CHOICE_LENGTH + 4);
  const pieces = bounded ? answer.split(/[,\n]/).map((piece) => piece.trim().replace(/^[-*•]\s+/, '')) : [];
  const named = pieces.filter((piece) => piece !== '');
  if (named.length === 0)
    throw new ParseError(
      `The answer names no choice. Answer with a JSON array of some of ${brief(choices)}.`,
    );
  return named;
}

/** Finds the choice that an answer means; folds each choice once, however many pieces there are. */
function choiceMatcher(choices: string[]): (answer: string) => string {
  const byFold = new Map<string, string[]>();
  for (const choice of choices) byFold.set(folded(choice), [...(byFold.get(folded(choice)) ?? []), choice]);
  return (answer) => {
    if (choices.includes(answer)) return answer;
    const [match, second] = byFold.get(folded(answer)) ?? [];
    if (match === undefined || folded(answer) === '') {
      throw new ParseError(
        `${quoted(answer)} is not one of the choices. Answer only with ${brief(choices)}.`,
      );
    }
    if (second === undefined) return match;
    throw new ParseError(
      `${quoted(answer)} fits more than one choice. Repeat one exactly: ${brief([match, second])}.`,
    );
  };
}

function folded(text: string): string {
  return tidy(text).normalize('NFC').toLowerCase();
}

function choicesOf(options: ParserOptions): string[] {
  const errors = checkChoices(options);
  if (errors.length > 0) throw new InvalidInputError(errors);
  return [...(options.choices ?? [])];
}

function checkChoices({ choices }: ParserOptions): ErrorDetail[] {
  if (!Array.isArray(choices) || choices.length === 0)
    return [{ path: 'choices', message: 'give at least one choice' }];
  if (choices.length > MAX_CHOICES)
    return [{ path: 'choices', message: `give at most ${MAX_CHOICES} choices` }];
  const seen = new Set<Json>();
  return (choices as Json[]).flatMap((choice, index) => {
    const fault = seen.has(choice) ? 'is there twice: remove one' : choiceFault(choice);
    seen.add(choice);
    return fault ? [{ path: `choices[${index}]`, message: fault }] : [];
  });
}

function choiceFault(choice: Json): string | undefined {
  if (typeof choice !== 'string' || choice === '') return 'must be a text that is not empty';
  if (choice.length > MAX_CHOICE_LENGTH) return `must have at most ${MAX_CHOICE_LENGTH} characters`;
  return choice === choice.trim() ? undefined : 'must not begin or end with a space';
}

function listed(choices: string[]): string {
  return JSON.stringify(choices);
}

function brief(choices: string[]): string {
  const shown = choices.slice(0, 20).map((choice) => quoted(choice));
  return `${shown.join(', ')}${choices.length > shown.length ? ' and so on' : ''}`;
}
