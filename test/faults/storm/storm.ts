import { Random } from '../../support/random.js';
import { checkStorm } from './checks/check-storm.js';
import { Editor } from './editor.js';
import { faultsOf, type Fault } from './faults.js';
import { isQuiet, Progress } from './progress.js';
import type { StormOptions } from './storm-options.js';
import { setStormStage, type StormStage } from './storm-stage.js';
import { addTenants, JOBS_OF_A_RECORD, type StormTenant } from './tenants.js';
import { WEATHER } from './weather.js';

/** A fault that struck, and the milliseconds from its repair until jobs were completed again. */
export interface StruckFault {
  name: string;
  costs: number;
  recoveryMs: number;
}

/** What a storm came to. */
export interface StormReport {
  seed: number;
  figures: Record<string, number>;
  faults: StruckFault[];
  /** Invariants that do not hold, each with what was found; none where the product is right. */
  violations: string[];
}

/** Share of the jobs that are there before the first fault; edits make the others. */
const SHARE_AT_FIRST = 0.5;
/** Jobs that are open at any time, for each slot of a worker. */
const JOBS_FOR_A_SLOT = 5;
/** Jobs that must be completed after a repair for the product to count as recovered. */
const RECOVERED_JOBS = 5;

/** Lets everything happen that the seed holds, waits until all is quiet, and checks what must be true then. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const stage = await setStormStage(options);
  const tenants: StormTenant[] = [];
  try {
    const started = performance.now();
    tenants.push(...(await addTenants(stage.api.url, (options.jobs * SHARE_AT_FIRST) / JOBS_OF_A_RECORD)));
    const { faults, edits, refused } = await storm(stage, tenants, options);
    const { figures, violations } = await checkStorm(stage, tenants, faults, options);
    options.log?.(stage.output());
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return { seed: options.seed, figures: { ...figures, edits, refused, seconds }, faults, violations };
  } catch (error) {
    options.log?.(stage.output());
    throw error;
  } finally {
    for (const { api, events } of tenants) {
      api.close();
      events.close();
    }
    await stage.close();
  }
}

async function storm(stage: StormStage, tenants: StormTenant[], options: StormOptions) {
  const { jobs, seed } = options;
  stage.simulator.script(WEATHER);
  const random = new Random(seed);
  const order = faultsOf(random);
  const editor = new Editor(tenants, new Random(seed + 1), new Progress(stage.database, options.signal));
  const faults: StruckFault[] = [];
  const over = new AbortController();
  const strikeAll = async () => {
    try {
      for (const [n, fault] of order.entries()) {
        faults.push(await strike(stage, fault, (jobs * (n + 1)) / (order.length + 2), options));
      }
    } finally {
      over.abort();
    }
  };
  const editing = editor.editUntil(jobs, options.slots * JOBS_FOR_A_SLOT, over.signal);
  await allOrFirstError([editing, strikeAll()]);
  await new Progress(stage.database, options.signal).until('all is quiet', isQuiet);
  const { edits, refused } = editor;
  return { faults, edits, refused };
}

/** Strikes when so many jobs have ended, and waits until jobs are completed again. */
async function strike(
  stage: StormStage,
  fault: Fault,
  atEnded: number,
  options: StormOptions,
): Promise<StruckFault> {
  const progress = new Progress(stage.database, options.signal);
  const before = await progress.until(`${fault.name} is its turn`, (counts) => {
    return counts.ended >= atEnded || counts.open === 0;
  });
  options.log?.(`${fault.name} at ${before.ended} of ${before.made} jobs`);
  await fault.strike(stage, options);
  const repaired = performance.now();
  const { completed } = await progress.counts();
  await progress.until(`the product has recovered from ${fault.name}`, (counts) => {
    return counts.completed >= completed + RECOVERED_JOBS || counts.open === 0;
  });
  return { name: fault.name, costs: fault.costs, recoveryMs: Math.round(performance.now() - repaired) };
}

/** Waits for all, also where one has failed: a fault that has begun is repaired before everything is stopped. */
async function allOrFirstError(works: Promise<void>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}
