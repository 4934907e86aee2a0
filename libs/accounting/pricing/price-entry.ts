import type { Price, TokenPrices } from './price.js';

/** A price in the form of `model-prices.json`: amounts in whole nano-USD, null where none is published. */
export interface PriceEntry {
  provider: string;
  model: string;
  effective_from: string;
  effective_to?: string;
  context_window: number;
  input: number | null;
  cache_read: number | null;
  cache_write_5m: number | null;
  cache_write_1h: number | null;
  output: number | null;
  long_context?: object;
  tools: Record<string, number>;
  source?: string;
}

/** A price back in the form that it was read from. */
export function entryOf(price: Price): PriceEntry {
  const { provider, model, effectiveFrom, effectiveTo, contextWindow, longContext, tools, source } = price;
  const fees = Object.entries(tools).map(([tool, fee]): [string, number] => [
    `${tool}_per_call`,
    Number(fee),
  ]);
  return {
    provider,
    model,
    effective_from: dayOf(effectiveFrom),
    ...(effectiveTo && { effective_to: dayOf(effectiveTo) }),
    context_window: contextWindow,
    ...amountsOf(price),
    ...(longContext && {
      long_context: { above_input_tokens: longContext.aboveInputTokens, ...amountsOf(longContext) },
    }),
    tools: Object.fromEntries(fees),
    ...(source !== undefined && { source }),
  };
}

/** `YYYY-MM-DD` in UTC. */
export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function amountsOf(prices: TokenPrices) {
  const amount = (price: bigint | null): number | null => (price === null ? null : Number(price));
  return {
    input: amount(prices.input),
    cache_read: amount(prices.cacheRead),
    cache_write_5m: amount(prices.cacheWrite5m),
    cache_write_1h: amount(prices.cacheWrite1h),
    output: amount(prices.output),
  };
}
