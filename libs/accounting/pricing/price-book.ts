import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { findPrice } from './find-price.js';
import type { Price } from './price.js';
import { readPrices } from './read-prices.js';
import { loadShippedPrices } from './shipped-prices.js';

/** A price that a tenant adds or changes is in force within these milliseconds; the ledger names the one that was used. */
const OWN_PRICES_MS = 2_000;

/** Prices of models: a tenant's own first, then those that come with the product. */
@Injectable()
export class PriceBook {
  private readonly shipped = loadShippedPrices();
  private readonly own = new LRUCache<string, Price[]>({ max: 10_000, ttl: OWN_PRICES_MS });

  /** The price of a model in force at a moment, or undefined where none is known. */
  async find(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
    at: Date,
  ): Promise<Price | undefined> {
    const own = await this.ownPrices(em, tenantId, provider, model);
    return findPrice([...own, ...this.shipped], { provider, model, at });
  }

  private async ownPrices(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
  ): Promise<Price[]> {
    const key = JSON.stringify([tenantId, provider, model]);
    const known = this.own.get(key);
    if (known) return known;
    const rows = await em.query<{ price: unknown }[]>(
      `SELECT price FROM ai_model_prices WHERE tenant_id = $1 AND provider = $2 AND model = $3 ORDER BY effective_from DESC`,
      [tenantId, provider, model],
    );
    const prices = rows.length > 0 ? readPrices({ models: rows.map((row) => row.price) }, 'tenant:') : [];
    this.own.set(key, prices);
    return prices;
  }
}
