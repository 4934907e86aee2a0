const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

/** A day of the calendar, as `2026-02-28`; years 0001 to 9999. */
export function isCalendarDate(text: string): boolean {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined || year === '0000') return false;
  const date = new Date(`${text}T00:00:00Z`);
  return (
    !Number.isNaN(date.getTime()) &&
    date.getUTCMonth() + 1 === Number(month) &&
    date.getUTCDate() === Number(day)
  );
}

/** A phone number as people write it: digits with `+ - . / ( )`, spaces and an extension; 3 to 20 digits. */
export function isPhone(text: string): boolean {
  if (text.length > 50 || !/^\+?[\d\s().,/;=a-z-]+$/i.test(text)) return false;
  const words = text.match(/[a-z]+/gi) ?? [];
  const digits = text.match(/\d/g) ?? [];
  return (
    words.every((word) => /^(x|ext|extension)$/i.test(word)) && digits.length >= 3 && digits.length <= 20
  );
}

/** A complete web address, `http` or `https`, at most 2,048 characters. */
export function isUrl(text: string): boolean {
  if (text.length > 2048 || /\s/.test(text) || !/^https?:\/\//i.test(text)) return false;
  return URL.canParse(text);
}

/** Text that Postgres cannot hold: NUL, or half of a surrogate pair. */
export function isUnstorable(text: string): boolean {
  return text.includes('\0') || /\p{Surrogate}/u.test(text);
}
