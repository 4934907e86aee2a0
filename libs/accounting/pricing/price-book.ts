import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { AuditLog, type Watched } from '#libs/access';
import type { Principal } from '#libs/host';
import { afterCommit } from '#libs/tenants';
import { findPrice } from './find-price.js';
import { ownPrice, type GivenPrice } from './own-price.js';
import type { Price } from './price.js';
import { readPrices } from './read-prices.js';
import { loadShippedPrices } from './shipped-prices.js';

/**
 * A price that a tenant adds or changes is in force in other processes within these milliseconds, in its own at once;
 * the ledger names the one that was used.
 */
const OWN_PRICES_MS = 2_000;

const ONE_PRICE = `tenant_id = $1 AND provider = $2 AND model = $3 AND to_char(effective_from, 'YYYY-MM-DD') = $4`;

interface Row {
  price: unknown;
}

/** Prices of models: a tenant's own first, then those that come with the product. */
@Injectable()
export class PriceBook {
  private readonly shipped = loadShippedPrices();
  private readonly shippedModels = new Set(this.shipped.map(({ provider, model }) => `${provider}/${model}`));
  private readonly own = new LRUCache<string, Price[]>({ max: 10_000, ttl: OWN_PRICES_MS });

  constructor(private readonly audit: AuditLog) {}

  /** The prices that come with the product. */
  get allShipped(): readonly Price[] {
    return this.shipped;
  }

  /** Whether the prices that come with the product know a model, at any date. */
  isShipped(provider: string, model: string): boolean {
    return this.shippedModels.has(`${provider}/${model}`);
  }

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

  /** All prices that a tenant has given, by model, the latest first. */
  async ownOf(em: EntityManager, tenantId: string): Promise<Price[]> {
    const rows = await em.query<Row[]>(
      'SELECT price FROM ai_model_prices WHERE tenant_id = $1 ORDER BY provider, model, effective_from DESC',
      [tenantId],
    );
    return rows.map(readOwn);
  }

  /**
   * Keeps a tenant's own price of a model from a day on, until the day of its next one. What is left out is that of
   * the price in force on that day.
   *
   * @throws InvalidInputError naming each faulty member.
   */
  async put(em: EntityManager, principal: Principal, given: GivenPrice, now: Date): Promise<Price> {
    const { tenantId } = principal;
    const { provider, model, effective_from: from } = given;
    const at = from == null ? now : new Date(`${from}T00:00:00Z`);
    const own = await this.readOwnPrices(em, tenantId, provider, model);
    const known = findPrice([...own, ...this.shipped], { provider, model, at });
    const entry = ownPrice(given, known, now);
    const watched = this.watched(em, tenantId, provider, model, entry.effective_from);
    await this.audit.watch(em, principal, watched, () =>
      em.query(
        `INSERT INTO ai_model_prices (tenant_id, provider, model, effective_from, price) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, provider, model, effective_from) DO UPDATE SET price = excluded.price, updated_at = now()`,
        [tenantId, provider, model, entry.effective_from, JSON.stringify(entry)],
      ),
    );
    this.forget(em, tenantId, provider, model);
    return readOwn({ price: entry });
  }

  /** @returns false where there was none. */
  async remove(
    em: EntityManager,
    principal: Principal,
    provider: string,
    model: string,
    from: string,
  ): Promise<boolean> {
    const { tenantId } = principal;
    const watched = this.watched(em, tenantId, provider, model, from);
    const removed = await this.audit.watch(em, principal, watched, async () => {
      const [, rows] = await em.query<[unknown[], number]>(`DELETE FROM ai_model_prices WHERE ${ONE_PRICE}`, [
        tenantId,
        provider,
        model,
        from,
      ]);
      return rows > 0;
    });
    this.forget(em, tenantId, provider, model);
    return removed;
  }

  private watched(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
    from: string,
  ): Watched {
    const view = async (): Promise<object | undefined> => {
      const values = [tenantId, provider, model, from];
      const rows = await em.query<{ price: object }[]>(
        `SELECT price FROM ai_model_prices WHERE ${ONE_PRICE}`,
        values,
      );
      return rows[0]?.price;
    };
    return { subject: 'ModelPrice', subjectId: `${provider}/${model}@${from}`, view };
  }

  private forget(em: EntityManager, tenantId: string, provider: string, model: string): void {
    const key = keyOf(tenantId, provider, model);
    afterCommit(em, `price:${key}`, () => this.own.delete(key));
  }

  private async ownPrices(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
  ): Promise<Price[]> {
    const key = keyOf(tenantId, provider, model);
    const known = this.own.get(key);
    if (known) return known;
    const prices = await this.readOwnPrices(em, tenantId, provider, model);
    this.own.set(key, prices);
    return prices;
  }

  /** The latest first: the one that began last applies. */
  private async readOwnPrices(
    em: EntityManager,
    tenantId: string,
    provider: string,
    model: string,
  ): Promise<Price[]> {
    const rows = await em.query<Row[]>(
      `SELECT price FROM ai_model_prices WHERE tenant_id = $1 AND provider = $2 AND model = $3 ORDER BY effective_from DESC`,
      [tenantId, provider, model],
    );
    return rows.map(readOwn);
  }
}

function readOwn({ price }: Row): Price {
  return readPrices({ models: [price] }, 'tenant:')[0]!;
}

function keyOf(tenantId: string, provider: string, model: string): string {
  return JSON.stringify([tenantId, provider, model]);
}
