/** How many answers took how long, by bucket: `ai_time_bucket` makes sixteen of them to each doubling. */
export type TimeCounts = ReadonlyMap<number, number>;

const BUCKETS_PER_DOUBLING = 16;

/**
 * The time in milliseconds below or at which that share of the answers lies: the middle of a bucket, so at most 2.2 % from
 * the true one. Undefined where there are none.
 *
 * @param share 0 to 1.
 */
export function percentile(counts: TimeCounts, share: number): number | undefined {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let left = Math.max(1, Math.ceil(share * total));
  for (const [bucket, count] of [...counts].sort(([a], [b]) => a - b)) {
    left -= count;
    if (left <= 0) return Math.round(2 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING));
  }
  return undefined;
}
