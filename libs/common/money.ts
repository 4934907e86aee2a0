/** Nano-dollars in one US cent. */
export const NANO_PER_CENT = 10_000_000n;
/** Nano-dollars in one US dollar. */
export const NANO_PER_USD = 1_000_000_000n;
/** The most cents that a limit may be: a billion dollars. */
export const MAX_CENTS = 100_000_000_000;

const MAX_DECIMALS = 7;

/**
 * Writes nano-dollars as a decimal number of US dollars with nothing rounded away.
 *
 * @example nanoToUsd(1_500_000n) // 0.0015
 */
export function nanoToUsd(nano: bigint): number {
  return Number(decimal(nano, 9));
}

/** Writes nano-dollars as a decimal number of US cents with nothing rounded away. */
export function nanoToCents(nano: bigint): number {
  return Number(decimal(nano, 7));
}

/**
 * Reads a decimal number of US cents, at most seven places after the point.
 *
 * @throws RangeError when the number is negative, not finite, or finer than a nano-dollar.
 */
export function centsToNano(cents: number): bigint {
  if (!Number.isFinite(cents) || cents < 0)
    throw new RangeError('cents must be a number that is not negative');
  const [whole = '0', fraction = ''] = plainDecimal(cents).split('.');
  if (fraction.length > MAX_DECIMALS) throw new RangeError('cents may have at most seven decimal places');
  return BigInt(whole) * NANO_PER_CENT + BigInt(fraction.padEnd(MAX_DECIMALS, '0'));
}

/**
 * What is wrong with a limit from outside; undefined where {@link centsToNano} takes it.
 *
 * @example centsProblem(1e-8) // 'must be a number of cents from 0 to 100000000000 with at most seven decimal places'
 */
export function centsProblem(value: unknown): string | undefined {
  const isLimit =
    typeof value === 'number' &&
    value >= 0 &&
    value <= MAX_CENTS &&
    (plainDecimal(value).split('.')[1] ?? '').length <= MAX_DECIMALS;
  return isLimit
    ? undefined
    : `must be a number of cents from 0 to ${MAX_CENTS} with at most seven decimal places`;
}

function decimal(nano: bigint, places: number): string {
  const sign = nano < 0n ? '-' : '';
  const digits = (nano < 0n ? -nano : nano).toString().padStart(places + 1, '0');
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** Without an exponent; what is too fine for seven places still has more of them. */
function plainDecimal(value: number): string {
  const text = String(value);
  const [digits = '', exponent] = text.split('e-');
  return exponent === undefined ? text : `0.${'0'.repeat(Number(exponent) - 1)}${digits.replace('.', '')}`;
}
