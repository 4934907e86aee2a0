import { readFileSync } from 'node:fs';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { median, spreadOf } from './spread.js';
import { addTenants, areDone, completedPerSecond, jobsToDo } from './workload.js';

const JOBS = 50_000;
const BATCH = 2_500;
const TENANTS = 50;

/** What a worker process keeps after a long time of work, through Bull on Redis. */
export const memory: Bench = {
  name: 'memory',
  what: `resident memory of a worker process over ${JOBS} jobs, 20 at once, instant provider`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const shared = { REDIS_URL: await stage.redis(), AI_TENANT_WINDOW: '64' };
    const api = await stage.product(database, { ...shared, ROLE: 'api' });
    const worker = await stage.product(database, { ...shared, ROLE: 'worker' });
    try {
      const { many } = await addTenants(database, api.url, TENANTS, BATCH);
      const resident: number[] = [];
      for (let batch = 0; batch < JOBS / BATCH; batch++) {
        const jobs = await jobsToDo(database, many, batch);
        while (!(await areDone(database))) await new Promise((resolve) => setTimeout(resolve, 200));
        await completedPerSecond(database, jobs);
        resident.push(residentMb(worker.process.pid!));
      }
      return figuresOf(resident);
    } finally {
      await worker.stop();
      await api.stop();
      await database.drop();
    }
  },
};

/** Megabytes (1e6 bytes) that a process has in memory. */
function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (!kib)
    throw new Error(`The memory of process ${pid} cannot be read here: /proc/${pid}/status has no VmRSS.`);
  return (Number(kib) * 1024) / 1e6;
}

function figuresOf(resident: readonly number[]): Figure[] {
  const quarter = Math.floor(resident.length / 4);
  const third = resident.slice(2 * quarter, 3 * quarter);
  const last = resident.slice(3 * quarter);
  return [
    { name: 'first half', unit: 'MB', spread: spreadOf(resident.slice(0, 2 * quarter)) },
    { name: 'second half', unit: 'MB', spread: spreadOf([...third, ...last]), target: { atMost: 250 } },
    {
      name: 'last quarter / third quarter',
      unit: 'ratio',
      spread: spreadOf([median(last) / median(third)]),
      target: { atMost: 1.05 },
    },
  ];
}
