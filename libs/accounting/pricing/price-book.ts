import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { findPrice } from './find-price.js';
import type { Price } from './price.js';
import { readPrices } from './read-prices.js';
import { loadShippedPrices } from './shipped-prices.js';

/** Prices of models: a tenant's own first, then those that come with the product. */
@Injectable()
export class PriceBook {
  private readonly shipped = loadShippedPrices();

  /** The price of a model in force at a moment, or undefined where none is known. */
  async find(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
    at: Date,
  ): Promise<Price | undefined> {
    const rows = await em.query<{ price: unknown }[]>(
      `SELECT price FROM ai_model_prices WHERE tenant_id = $1 AND provider = $2 AND model = $3 ORDER BY effective_from DESC`,
      [tenantId, provider, model],
    );
    const own = rows.length > 0 ? readPrices({ models: rows.map((row) => row.price) }, 'tenant:') : [];
    return findPrice([...own, ...this.shipped], { provider, model, at });
  }
}
