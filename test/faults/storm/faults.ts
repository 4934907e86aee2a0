import { setTimeout as wait } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import type { PostgresStop } from '../../support/own-postgres.js';
import type { StormOptions } from './storm-options.js';
import type { StormStage } from './storm-stage.js';

/** Something that breaks, and is repaired again. */
export interface Fault {
  name: string;
  /** Calls in flight that it may cost, as a share of all slots. */
  costs: number;
  /** Breaks it; resolves when it is repaired. */
  strike(stage: StormStage, options: StormOptions): Promise<void>;
}

const FLUSHALL: Fault = {
  name: 'FLUSHALL',
  costs: 0,
  strike: async ({ redis }) => {
    await redis.ask((client) => client.flushall());
  },
};

const REDIS_AWAY: Fault = {
  name: 'Redis away',
  costs: 0,
  strike: async ({ redis }, { redisAwayMs }) => {
    await redis.kill();
    await wait(redisAwayMs);
    await redis.start();
  },
};

const POSTGRES_RESTARTED: Fault = {
  name: 'Postgres restarted',
  costs: 1,
  strike: (stage) => restartPostgres(stage, 'fast'),
};

const POSTGRES_CRASHED: Fault = {
  name: 'Postgres crashed',
  costs: 1,
  strike: (stage) => restartPostgres(stage, 'immediate'),
};

async function restartPostgres({ postgres }: StormStage, how: PostgresStop): Promise<void> {
  await postgres.stop(how);
  await postgres.start();
}

function workerKilled(index: number): Fault {
  return { name: `worker ${index + 1} killed`, costs: 0.5, strike: (stage) => stage.replaceWorker(index) };
}

/** Every fault once, in the order of the seed. Each worker is killed, and Postgres goes down both ways. */
export function faultsOf(random: Random): Fault[] {
  const rest = [workerKilled(0), workerKilled(1), FLUSHALL, REDIS_AWAY, POSTGRES_RESTARTED, POSTGRES_CRASHED];
  const order: Fault[] = [];
  while (rest.length > 0) order.push(...rest.splice(random.integer(0, rest.length - 1), 1));
  return order;
}
