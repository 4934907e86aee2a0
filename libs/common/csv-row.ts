/** What spreadsheets take for the beginning of a formula, also in the wide forms of some keyboards. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * One line of CSV (RFC 4180), its CRLF included. A text that a spreadsheet would run as a formula begins with an apostrophe;
 * numbers stay what they are. Times are ISO 8601, what is not there is empty, everything else is JSON.
 *
 * @example csvRow(['=1+1', -5, null, 'a "b"']) // `'=1+1,-5,,"a ""b"""\r\n`
 */
export function csvRow(cells: readonly unknown[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  const text = textOf(value);
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value instanceof Date ? value.toISOString() : JSON.stringify(value);
}
