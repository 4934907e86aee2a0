import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';

const INSTANT = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:(Z)|([+-]\d\d):?(\d\d))?)?$/i;
/** Years of four digits, which JavaScript and Postgres write alike, with the range before and the midnight after. */
const [EARLIEST, LATEST] = [Date.parse('1000-01-01T00:00Z'), Date.parse('9999-12-31T00:00Z')];

/**
 * Reads a moment from outside; a day without a time is its midnight, a time without a zone is in UTC.
 *
 * @returns it in UTC, to the millisecond, as Postgres and `Date` take it; undefined for what is none.
 * @example readInstant('2026-01-31T10:00+02:00') // '2026-01-31T08:00:00.000Z'
 */
export function readInstant(text: string): string | undefined {
  const [, day = '', time = '00:00', , hours = '+00', minutes = '00'] = INSTANT.exec(text) ?? [];
  if (!isDay(day)) return undefined;
  const at = Date.parse(`${day}T${time}${hours}:${minutes}`);
  return at >= EARLIEST && at <= LATEST ? new Date(at).toISOString() : undefined;
}

/** `Date` takes 30 February for 2 March. */
function isDay(day: string): boolean {
  const midnight = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
}

/** Property decorator: a moment as {@link readInstant} reads it; the property holds the text that it gives. */
export function IsInstant(): PropertyDecorator {
  const normalised = Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? (readInstant(value) ?? value) : value,
  );
  const checked = ValidateBy({
    name: 'isInstant',
    validator: {
      validate: (value) => typeof value === 'string' && readInstant(value) !== undefined,
      defaultMessage: () =>
        'must be a day such as 2026-01-31 or a moment such as 2026-01-31T10:00:00Z, up to 9999-12-31 (a + of a zone is %2B in a URL)',
    },
  });
  return applyDecorators(normalised, checked);
}
