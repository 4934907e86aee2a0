import type { TestDatabase } from '../support/database.js';
import type { RunningProduct } from '../support/product.js';
import type { Hint } from './hand-written-job.js';
import { areDone, completedPerSecond, jobsToDo, type Tenants } from './workload.js';

/** Jobs at once of every side. */
export const WORKER_CONCURRENCY = 20;

/** How the product is started that works on jobs against another side. */
export const WORKER = {
  ROLE: 'all',
  AI_WORKER_CONCURRENCY: String(WORKER_CONCURRENCY),
  AI_TENANT_WINDOW: '64',
};

/** A way to work on pending jobs, with the database it does that in. */
export interface Side {
  database: TestDatabase;
  tenants: Tenants;
  /** Works on the jobs until all are done. */
  work(jobs: Hint[]): Promise<void>;
}

/** The product finds the jobs by itself; it is stopped in its tracks while they are put in. */
export function productSide(database: TestDatabase, tenants: Tenants, product: RunningProduct): Side {
  product.process.kill('SIGSTOP');
  return {
    database,
    tenants,
    work: async () => {
      product.process.kill('SIGCONT');
      while (!(await areDone(database))) await new Promise((resolve) => setTimeout(resolve, 200));
      product.process.kill('SIGSTOP');
    },
  };
}

/** Jobs per second between the first and the last tenth, by the clock of the database. */
export async function rateOf(side: Side, which: keyof Tenants, round: number): Promise<number> {
  const { database, tenants } = side;
  const jobs = await jobsToDo(database, tenants[which], round);
  await side.work(jobs);
  return completedPerSecond(database, jobs);
}
