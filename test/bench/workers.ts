import { availableParallelism, cpus } from 'node:os';
import type { RunningProduct } from '../support/product.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
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
      const rates: Measured = { one: [], two: [] };
      const cores: Measured = { one: [], two: [] };
      for (let round = -1; round < ROUNDS; round++) {
        for (const count of round % 2 === 0 ? ([1, 2] as const) : ([2, 1] as const)) {
          while (running.length < count)
            running.push(await stage.product(database, { ...shared, ROLE: 'worker' }));
          while (running.length > count) await running.pop()!.stop();
          const jobs = await jobsToDo(database, many, round * 2 + count);
          const busy = busyCores();
          while (!(await areDone(database))) await new Promise((resolve) => setTimeout(resolve, 100));
          if (round < 0) continue;
          cores[count === 1 ? 'one' : 'two'].push(busy());
          rates[count === 1 ? 'one' : 'two'].push(await completedPerSecond(database, jobs));
        }
      }
      return figuresOf(rates, cores);
    } finally {
      for (const worker of running) await worker.stop();
      await api.stop();
      await database.drop();
    }
  },
};

/** How many cores of the machine work, from now on until it is asked: what is left of them bounds what a worker can add. */
function busyCores(): () => number {
  const [began, before] = [performance.now(), busyMilliseconds()];
  return () => (busyMilliseconds() - before) / (performance.now() - began);
}

function busyMilliseconds(): number {
  return cpus()
    .map(({ times }) => times.user + times.nice + times.sys + times.irq)
    .reduce((sum, one) => sum + one, 0);
}

/** Of one worker and of two, by round. */
type Measured = Record<'one' | 'two', number[]>;

function figuresOf({ one, two }: Measured, cores: Measured): Figure[] {
  const all = availableParallelism();
  return [
    { name: 'one worker', unit: 'per second', spread: spreadOf(one) },
    { name: 'two workers', unit: 'per second', spread: spreadOf(two) },
    { name: `busy with one, of ${all}`, unit: 'cores', spread: spreadOf(cores.one) },
    { name: `busy with two, of ${all}`, unit: 'cores', spread: spreadOf(cores.two) },
    {
      name: 'two / one',
      unit: 'ratio',
      spread: spreadOf(two.map((rate, round) => rate / one[round]!)),
      target: { atLeast: 1.8 },
    },
  ];
}
