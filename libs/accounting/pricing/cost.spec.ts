import fc from 'fast-check';
import { costOf, holdAmount } from './cost.js';
import type { Price, TokenUsageLike } from './price.js';
import { loadShippedPrices } from './shipped-prices.js';

const NONE: TokenUsageLike = {
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  toolCalls: {},
};
const price: Price = {
  id: 'acme/m@2026-01-01',
  provider: 'acme',
  model: 'm',
  effectiveFrom: new Date('2026-01-01'),
  contextWindow: 1000,
  input: 3n,
  cacheRead: 1n,
  cacheWrite5m: 4n,
  cacheWrite1h: null,
  output: 15n,
  longContext: {
    aboveInputTokens: 100,
    input: 6n,
    cacheRead: 2n,
    cacheWrite5m: 8n,
    cacheWrite1h: null,
    output: 22n,
  },
  tools: { web_search: 10_000_000n },
};

describe('costOf', () => {
  it('adds up every bucket and tool fee', () => {
    const usage = {
      input: 10,
      cacheRead: 20,
      cacheWrite5m: 30,
      cacheWrite1h: 0,
      output: 5,
      toolCalls: { web_search: 2 },
    };
    expect(costOf(price, usage)).toBe(30n + 20n + 120n + 75n + 20_000_000n);
    expect(costOf(price, NONE)).toBe(0n);
  });

  it('applies long-context prices to the whole request above the threshold, cached input included', () => {
    expect(costOf(price, { ...NONE, input: 60, cacheRead: 40, output: 1 })).toBe(180n + 40n + 15n);
    expect(costOf(price, { ...NONE, input: 60, cacheRead: 41, output: 1 })).toBe(360n + 82n + 22n);
  });

  it('is unknown once a bucket or tool without a price is used', () => {
    expect(costOf(price, { ...NONE, cacheWrite1h: 1 })).toBeUndefined();
    for (const tool of ['code_interpreter', 'constructor', '__proto__']) {
      const toolCalls = Object.fromEntries([[tool, 1]]);
      expect(costOf(price, { ...NONE, toolCalls })).toBeUndefined();
    }
    expect(costOf(price, { ...NONE, toolCalls: { code_interpreter: 0 } })).toBe(0n);
  });

  it('stays exact beyond the precision of numbers', () => {
    const input = Number.MAX_SAFE_INTEGER;
    expect(costOf({ ...price, input: 7n, longContext: undefined }, { ...NONE, input, output: 1 })).toBe(
      BigInt(input) * 7n + 15n,
    );
  });

  it.each([-1, 0.5, Number.NaN, Infinity, 2 ** 53])('refuses a count of %p', (count) => {
    expect(() => costOf(price, { ...NONE, output: count })).toThrow(RangeError);
    expect(() => costOf(price, { ...NONE, toolCalls: { web_search: count } })).toThrow(RangeError);
    expect(() => holdAmount(price, { inputTokenBound: count, maxTokens: 1 })).toThrow(RangeError);
    expect(() => holdAmount(price, { inputTokenBound: 1, maxTokens: count })).toThrow(RangeError);
    expect(() =>
      holdAmount(price, { inputTokenBound: 1, maxTokens: 1, toolCaps: { web_search: count } }),
    ).toThrow(RangeError);
  });
});

describe('holdAmount', () => {
  it('takes the uses of all tools together where they share one cap', () => {
    const wide = { ...price, longContext: undefined, contextWindow: 1000 };
    const toolCaps = { web_search: 2, file_search: 2 };
    const known = { ...wide, tools: { web_search: 7n, file_search: 5n } };
    const apart = holdAmount(known, { inputTokenBound: 1, maxTokens: 0, toolCaps });
    const shared = holdAmount(known, { inputTokenBound: 1, maxTokens: 0, toolCaps, toolUses: 2 });
    expect(apart! - shared!).toBe(4n * 2n * 1000n);
    expect(shared! % 1000n).toBe(2n * 7n + 2n * 5n);
  });

  it('takes the dearest input bucket of the dearest tier within reach', () => {
    expect(holdAmount(price, { inputTokenBound: 100, maxTokens: 10 })).toBe(400n + 150n);
    expect(holdAmount(price, { inputTokenBound: 101, maxTokens: 10 })).toBe(808n + 220n);
  });

  it('takes the base tier where that is the dearer one', () => {
    const cheapTier = {
      ...price,
      longContext: {
        aboveInputTokens: 100,
        input: 1n,
        cacheRead: 1n,
        cacheWrite5m: 1n,
        cacheWrite1h: null,
        output: 1n,
      },
    };
    expect(holdAmount(cheapTier, { inputTokenBound: 101, maxTokens: 10 })).toBe(404n + 150n);
  });

  it('reckons with a full context window for each tool call and one more', () => {
    expect(holdAmount(price, { inputTokenBound: 5, maxTokens: 0, toolCaps: { web_search: 2 } })).toBe(
      3000n * 8n + 20_000_000n,
    );
    expect(holdAmount(price, { inputTokenBound: 5, maxTokens: 0, toolCaps: { web_search: 0 } })).toBe(20n);
  });

  it('is unknown where a price is', () => {
    const bounds = { inputTokenBound: 5, maxTokens: 5 };
    expect(holdAmount({ ...price, input: null }, bounds)).toBeUndefined();
    expect(holdAmount({ ...price, output: null }, bounds)).toBeUndefined();
    expect(holdAmount(price, { ...bounds, toolCaps: { code_interpreter: 1 } })).toBeUndefined();
    const longContext = { ...price.longContext!, output: null };
    expect(holdAmount({ ...price, longContext }, { inputTokenBound: 101, maxTokens: 5 })).toBeUndefined();
    expect(holdAmount({ ...price, longContext }, bounds)).toBe(20n + 75n);
  });

  describe.each(loadShippedPrices().map((shipped) => [shipped.id, shipped] as const))('%s', (_, shipped) => {
    it('bounds what any call can cost', () => {
      fc.assert(
        fc.property(callOf(shipped), ({ usage, bounds }) => {
          const cost = costOf(shipped, usage);
          const hold = holdAmount(shipped, bounds);
          expect(hold).toBeDefined();
          if (cost !== undefined) expect(cost <= (hold ?? -1n)).toBe(true);
        }),
      );
    });

    it('knows the cost of plain input and output', () => {
      expect(costOf(shipped, { ...NONE, input: 1, output: 1 })).toBe(
        (shipped.input ?? -1n) + (shipped.output ?? -1n),
      );
    });
  });
});

/** A call within its bounds, often close to the long-context threshold. */
function callOf(
  shipped: Price,
): fc.Arbitrary<{ usage: TokenUsageLike; bounds: Parameters<typeof holdAmount>[1] }> {
  const threshold = shipped.longContext?.aboveInputTokens ?? 1000;
  const tokens = fc.oneof(
    fc.nat(shipped.contextWindow),
    fc.integer({ min: threshold - 5, max: threshold + 5 }),
    fc.nat(3),
  );
  const published = (amount: bigint | null): fc.Arbitrary<number> =>
    amount === null ? fc.constant(0) : tokens;
  const calls = fc.record(Object.fromEntries(Object.keys(shipped.tools).map((tool) => [tool, fc.nat(3)])));
  return fc
    .record({
      input: tokens,
      cacheRead: published(shipped.cacheRead),
      cacheWrite5m: published(shipped.cacheWrite5m),
      cacheWrite1h: published(shipped.cacheWrite1h),
      output: fc.nat(100_000),
      toolCalls: calls,
      slack: fc.nat(2),
    })
    .map(({ slack, ...usage }) => ({
      usage,
      bounds: {
        inputTokenBound: usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h + slack,
        maxTokens: usage.output + slack,
        toolCaps: usage.toolCalls,
      },
    }));
}
