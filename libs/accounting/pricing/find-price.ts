import type { Price } from './price.js';

export interface PriceQuery {
  provider: string;
  /** The exact id that is sent to the provider. */
  model: string;
  at: Date;
}

/**
 * The first price in the list that applies to a model at a time, so put a tenant's own prices before the
 * shipped ones. Ids match exactly; an alias only where the price lists it. `effectiveTo` is exclusive.
 *
 * @example findPrice([...tenantPrices, ...shippedPrices], { provider: 'openai', model: 'gpt-4o-mini', at: clock.now() })
 */
export function findPrice(prices: readonly Price[], { provider, model, at }: PriceQuery): Price | undefined {
  return prices.find(
    (price) =>
      price.provider === provider &&
      (price.model === model || (price.aliases?.includes(model) ?? false)) &&
      price.effectiveFrom <= at &&
      (price.effectiveTo === undefined || at < price.effectiveTo),
  );
}
