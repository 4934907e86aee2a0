import { createSimulator, type Simulator } from '#libs/llm-simulator';
import type { TestDatabase } from '../../support/database.js';
import { watchForOverspending } from '../../support/overspend-watch.js';
import { startProduct, type RunningProduct } from '../../support/product.js';
import { RedisServer } from '../../support/redis-server.js';
import { OwnPostgres } from '../../support/own-postgres.js';
import { environmentOf, type StormOptions } from './storm-options.js';

/** An installation of a storm's own: Postgres, Redis, an API, two workers, and a provider that survives everything. */
export interface StormStage {
  postgres: OwnPostgres;
  database: TestDatabase;
  redis: RedisServer;
  simulator: Simulator;
  api: RunningProduct;
  workers: RunningProduct[];
  /** Kills a worker and starts another in its place. */
  replaceWorker(index: number): Promise<void>;
  /** Budget rows that stood above their limit at any moment. */
  overspent(): Promise<object[]>;
  /** The last that the processes wrote, for a storm that fails. */
  output(): string;
  close(): Promise<void>;
}

const WORKERS = 2;
/** Requests kept; the log is the truth about what was answered and billed. */
const MOST_REQUESTS = 1_000_000;
const SHOWN_CHARS = 6_000;

export async function setStormStage(options: StormOptions): Promise<StormStage> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return await set(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function set(
  options: StormOptions,
  closers: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<StormStage> {
  const postgres = await OwnPostgres.started();
  const { database } = postgres;
  closers.push(() => database.drop());
  const redis = await RedisServer.started();
  closers.push(() => redis.remove());
  const { latencyMs, seed } = options;
  const simulator = createSimulator({ seed, latencyMs, maxLog: MOST_REQUESTS });
  const { url: providerUrl } = await simulator.listen();
  const outputs: (() => string)[] = [];
  const start = async (role: 'api' | 'worker') => {
    const env = { ...environmentOf(options), REDIS_URL: redis.url, ROLE: role };
    const product = await startProduct({ database, providerUrl, env });
    outputs.push(() => `--- ${role} ${product.process.pid}\n${product.output().slice(-SHOWN_CHARS)}`);
    return product;
  };
  const api = await start('api');
  const workers: RunningProduct[] = [];
  closers.push(async () => {
    await simulator.close();
    await Promise.all([api, ...workers].map((product) => product.stop()));
  });
  workers.push(...(await Promise.all(Array.from({ length: WORKERS }, () => start('worker')))));
  return {
    postgres,
    database,
    redis,
    simulator,
    api,
    workers,
    replaceWorker: async (index) => {
      await workers[index]!.kill();
      workers[index] = await start('worker');
    },
    overspent: await watchForOverspending(database),
    output: () => outputs.map((output) => output()).join('\n'),
    close,
  };
}
