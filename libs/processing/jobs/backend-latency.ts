import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DELIVERY, type Delivery } from '../delivery/delivery.js';

/** Milliseconds that what the workers are built on takes to answer. */
export interface BackendLatency {
  postgres_ms: number;
  /** `null` where it does not answer; absent where delivery needs none. */
  redis_ms?: number | null;
}

/** Measures one round trip to each. */
@Injectable()
export class BackendLatencies {
  constructor(@Inject(DELIVERY) private readonly delivery: Delivery) {}

  async ofPostgres(em: EntityManager): Promise<Pick<BackendLatency, 'postgres_ms'>> {
    return { postgres_ms: await milliseconds(em.query('SELECT 1')) };
  }

  /** Not within a transaction: a Redis that does not answer takes seconds, and a transaction has places of others. */
  async ofRedis(): Promise<Pick<BackendLatency, 'redis_ms'>> {
    if (!this.delivery.ping) return {};
    return { redis_ms: await milliseconds(this.delivery.ping()).catch(() => null) };
  }
}

async function milliseconds(answer: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await answer;
  return Math.round((performance.now() - started) * 100) / 100;
}
