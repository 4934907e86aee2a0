/** Decimal places of the currencies that do not have two (ISO 4217). */
const MINOR_DIGITS = new Map([
  ...[
    'BIF',
    'CLP',
    'DJF',
    'GNF',
    'ISK',
    'JPY',
    'KMF',
    'KRW',
    'PYG',
    'RWF',
    'UGX',
    'VND',
    'VUV',
    'XAF',
    'XOF',
    'XPF',
  ].map((code) => [code, 0] as const),
  ...['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'].map((code) => [code, 3] as const),
]);

/**
 * A number in decimal digits, without an exponent, with the digits that JavaScript gives it.
 *
 * @example plainNumber(1e-7) // '0.0000001'
 */
export function plainNumber(value: number): string {
  if (!Number.isFinite(value)) return '';
  const text = String(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const [mantissa, exponent] = [text.slice(0, at), text.slice(at + 1)];
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.slice(sign.length).split('.');
  const point = whole.length + Number(exponent);
  const digits = whole + fraction;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0');
}

/**
 * An amount of money as `EUR 1,234.50`: the code, thousands in groups, at least the decimal places of the
 * currency; further ones are kept, because a unit price may need them. Without a code only the number.
 * A text that is no decimal number is returned as it is.
 */
export function formatCurrency(amount: string | number, currency: string | undefined): string {
  const decimal = typeof amount === 'number' ? plainNumber(amount) : amount;
  if (!/^-?\d+(?:\.\d+)?$/.test(decimal)) return decimal;
  const sign = decimal.startsWith('-') ? '-' : '';
  const point = decimal.indexOf('.');
  const whole = decimal.slice(sign.length, point < 0 ? undefined : point);
  const fraction = point < 0 ? '' : decimal.slice(point + 1);
  const places = MINOR_DIGITS.get(currency ?? '') ?? 2;
  const cents = fraction.padEnd(places, '0');
  const number = `${sign}${grouped(whole)}${cents === '' ? '' : `.${cents}`}`;
  return currency ? `${currency} ${number}` : number;
}

function grouped(digits: string): string {
  let end = digits.length % 3 || 3;
  let text = digits.slice(0, end);
  for (; end < digits.length; end += 3) text += `,${digits.slice(end, end + 3)}`;
  return text;
}
