import { availableParallelism } from 'node:os';
import type { RunningProduct } from '../support/product.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { watchCores, type CoreUse } from './cores.js';
import { spreadOf } from './spread.js';
import { addTenants, areDone, completedPerSecond, jobsToDo } from './workload.js';

const ROUNDS = 5;
const JOBS = 500;
const TENANTS = 20;
const LATENCY_MS = 20;
/** Few enough that two processes find two cores enough: what is measured is what a second worker adds, not the machine. */
const CONCURRENCY = 2;

/** What a second worker process adds, through Bull on Redis. */
export const workers: Bench = {
  name: 'workers',
  what: `jobs per second of two worker processes against one, ${CONCURRENCY} jobs at once in each, provider latency ${LATENCY_MS} ms, ${ROUNDS} × ${JOBS} of each`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const providerUrl = await stage.slowProvider(LATENCY_MS);
    const shared = {
      REDIS_URL: await stage.redis(),
      OPENAI_BASE_URL: `${providerUrl}/v1`,
      AI_WORKER_CONCURRENCY: String(CONCURRENCY),
      AI_TENANT_WINDOW: '64',
    };
    const api = await stage.product(database, { ...shared, ROLE: 'api' });
    const running: RunningProduct[] = [];
    try {
      const { many } = await addTenants(database, api.url, TENANTS, JOBS);
      const measured: Measured = { one: [], two: [] };
      for (let round = -1; round < ROUNDS; round++) {
        for (const count of round % 2 === 0 ? ([1, 2] as const) : ([2, 1] as const)) {
          while (running.length < count)
            running.push(await stage.product(database, { ...shared, ROLE: 'worker' }));
          while (running.length > count) await running.pop()!.stop();
          const jobs = await jobsToDo(database, many, round * 2 + count);
          const used = watchCores();
          while (!(await areDone(database))) await new Promise((resolve) => setTimeout(resolve, 100));
          if (round < 0) continue;
          const seen = { ...used(), rate: await completedPerSecond(database, jobs) };
          measured[count === 1 ? 'one' : 'two'].push(seen);
        }
      }
      return figuresOf(measured);
    } finally {
      for (const worker of running) await worker.stop();
      await api.stop();
      await database.drop();
    }
  },
};

interface Round extends CoreUse {
  /** Jobs per second. */
  rate: number;
}

/** Of one worker and of two, by round. */
type Measured = Record<'one' | 'two', Round[]>;

function figuresOf(measured: Measured): Figure[] {
  const all = availableParallelism();
  const { one, two } = measured;
  const figures = (['one', 'two'] as const).flatMap((count): Figure[] => {
    const spread = (of: (round: Round) => number) => spreadOf(measured[count].map(of));
    const workers = count === 'one' ? 1 : 2;
    return [
      { name: `${count}: jobs`, unit: 'per second', spread: spread(({ rate }) => rate) },
      {
        name: `${count}: a job takes`,
        unit: 'ms',
        spread: spread(({ rate }) => (1000 * workers * CONCURRENCY) / rate),
      },
      {
        name: `${count}: of that, waits for a core`,
        unit: 'ms',
        spread: spread(({ waited_ms }) => waited_ms / JOBS),
      },
      { name: `${count}: busy cores, of ${all}`, unit: 'cores', spread: spread(({ busy }) => busy) },
    ];
  });
  return [
    ...figures,
    {
      name: 'two / one',
      unit: 'ratio',
      spread: spreadOf(two.map(({ rate }, round) => rate / one[round]!.rate)),
      target: { atLeast: 1.8 },
    },
  ];
}
