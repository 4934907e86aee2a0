import fc from 'fast-check';
import { percentile } from './response-times.js';

/** As `ai_time_bucket` does. */
const bucketOf = (ms: number) => Math.floor(16 * Math.log2(ms) + 1e-9);

describe('response times', () => {
  const counted = (times: readonly number[]) => {
    const counts = new Map<number, number>();
    for (const ms of times) counts.set(bucketOf(ms), (counts.get(bucketOf(ms)) ?? 0) + 1);
    return counts;
  };

  it('are told within 2.2 %, or half a millisecond, of the true percentile', () => {
    const times = fc.array(fc.integer({ min: 1, max: 3_600_000 }), { minLength: 1, maxLength: 300 });
    const share = fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1);
    fc.assert(
      fc.property(times, share, (all, wanted) => {
        const exact = [...all].sort((a, b) => a - b)[Math.max(0, Math.ceil(wanted * all.length) - 1)]!;
        const told = percentile(counted(all), wanted)!;
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * 0.0222 + 0.5);
      }),
    );
  });

  it('of nothing there are none', () => {
    expect(percentile(new Map(), 0.5)).toBeUndefined();
  });
});
