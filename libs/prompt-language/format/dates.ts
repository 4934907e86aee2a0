const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?/;
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** The date of an ISO date or time as it is written, `2026-11-20`, in no other time zone; other texts stay. */
export function isoDate(text: string): string {
  return ISO.test(text) ? text.slice(0, 10) : text;
}

/**
 * An ISO date or time in a pattern of `YYYY MMMM MMM MM DD D HH mm ss`; the rest of the pattern stays.
 * A text that is no ISO date stays too.
 *
 * @example formatDate('2026-11-20', 'D MMMM YYYY') // '20 November 2026'
 */
export function formatDate(text: string, pattern: string): string {
  const parts = ISO.exec(text);
  if (!parts) return text;
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00'] = parts;
  const monthName = MONTHS[Number(month) - 1] ?? month;
  const values: Record<string, string> = {
    YYYY: year,
    MMMM: monthName,
    MMM: monthName.slice(0, 3),
    MM: month,
    DD: day,
    D: String(Number(day)),
    HH: hour,
    mm: minute,
    ss: second,
  };
  return pattern.replace(/YYYY|MMMM|MMM|MM|DD|D|HH|mm|ss/g, (token) => values[token] ?? token);
}
