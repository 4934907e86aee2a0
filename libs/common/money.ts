/** Nano-dollars in one US cent. */
export const NANO_PER_CENT = 10_000_000n;
/** Nano-dollars in one US dollar. */
export const NANO_PER_USD = 1_000_000_000n;

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
  if (fraction.length > 7) throw new RangeError('cents may have at most seven decimal places');
  return BigInt(whole) * NANO_PER_CENT + BigInt(fraction.padEnd(7, '0'));
}

function decimal(nano: bigint, places: number): string {
  const sign = nano < 0n ? '-' : '';
  const digits = (nano < 0n ? -nano : nano).toString().padStart(places + 1, '0');
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

function plainDecimal(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(12).replace(/0+$/, '') : text;
}
