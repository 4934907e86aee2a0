import { answerText, quoted, unfenced } from './answer-text.js';
import { plainAnswer } from './find-json.js';
import { ParseError, type Parser } from './parser.js';
import { tidy } from './tidy.js';
import { wrappedSchema } from './wrapped-schema.js';

const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d{1,9})?)?';
const ISO = new RegExp(`^(\\d{4})-(\\d{2})-(\\d{2})(?:[t ]${TIME} ?(?:z|[-+]\\d{2}:?\\d{2})?)?$`, 'i');
const RFC = new RegExp(
  `^(?:([a-z]{3}), )?(\\d{1,2}) ([a-z]{3,9}) (\\d{4})(?: ${TIME}(?: (?:[a-z]{1,4}|[-+]\\d{4}))?)?$`,
  'i',
);
const MONTHS = 'january february march april may june july august september october november december'.split(
  ' ',
);
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/**
 * A day of the calendar as `YYYY-MM-DD`. Reads ISO 8601 and RFC 5322 (`Fri, 20 Nov 2026 10:00:00 GMT`,
 * `20 November 2026`); of a date with a time it keeps the day as written. Forms such as `11/12/2026`, which
 * mean different days in different countries, are refused.
 */
export const dateParser: Parser = {
  outputType: 'date',
  instructions: () => 'Answer with one date in the form YYYY-MM-DD and nothing else.',
  responseSchema: () => wrappedSchema({ type: 'string', description: 'A date in the form YYYY-MM-DD' }),
  parse: (text) => {
    const answer = plainAnswer(unfenced(answerText(text)));
    const shown = typeof answer === 'string' ? answer : JSON.stringify(answer);
    const date = readDate(tidy(shown));
    if (date === undefined)
      throw new ParseError(
        `The answer ${quoted(shown)} is not a date of the calendar in the form YYYY-MM-DD.`,
      );
    return date;
  },
};

function readDate(text: string): string | undefined {
  const iso = ISO.exec(text);
  if (iso) return calendarDay(Number(iso[1]), Number(iso[2]), Number(iso[3]));
  const rfc = RFC.exec(text);
  if (!rfc) return undefined;
  const date = calendarDay(Number(rfc[4]), monthOf(rfc[3] ?? ''), Number(rfc[2]));
  const weekday = rfc[1]?.toLowerCase();
  if (!date || weekday === undefined) return date;
  return WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] === weekday ? date : undefined;
}

/** 1 to 12 for the full name of a month or its first three letters; 0 for anything else. */
function monthOf(name: string): number {
  const lower = name.toLowerCase();
  return MONTHS.findIndex((month) => lower === month || lower === month.slice(0, 3)) + 1;
}

/** The ISO form of a day that exists, or undefined. */
function calendarDay(year: number, month: number, day: number): string | undefined {
  const text = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
  const time = Date.parse(`${text}T00:00:00Z`);
  // Date.parse carries the 31st of a short month over into the next one.
  return year > 0 && !Number.isNaN(time) && new Date(time).toISOString().startsWith(text) ? text : undefined;
}
