/** A figure over the repetitions of one run. */
export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** @throws RangeError when there is nothing to spread. */
export function spreadOf(values: readonly number[]): Spread {
  const rounded = (share: number): number => Number(quantile(values, share).toPrecision(4));
  return { min: rounded(0), median: rounded(0.5), max: rounded(1) };
}

/**
 * The value below which that share of all values lies, between two neighbours interpolated.
 *
 * @param share 0 to 1; 0.5 is the median.
 * @throws RangeError when there are no values.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('there is no quantile of nothing: nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
