/** Lets storms loose: `npm run test:faults -- [--seeds 3] [--seed 1] [--jobs 2000]`; exits 1 where an invariant fails. */
import { parseArgs } from 'node:util';
import { lineOf } from './figures-line.js';
import { runStorm, type StormReport } from './storm.js';

const MOST_SHOWN = 20;
const REDIS_AWAY_MS = 10_000;
const SLOTS = 8;
const LATENCY_MS = 100;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2000' },
    verbose: { type: 'boolean', default: false },
  },
});

function whole(name: 'seeds' | 'seed' | 'jobs'): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new TypeError(`--${name} must be a whole number above 0, not ${JSON.stringify(values[name])}.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interruption.abort(new Error(`${signal}: stopping what was started.`)));
}

async function storm(seed: number, jobs: number): Promise<boolean> {
  const options = {
    seed,
    jobs,
    slots: SLOTS,
    latencyMs: LATENCY_MS,
    redisAwayMs: REDIS_AWAY_MS,
    signal: interruption.signal,
  };
  let report: StormReport;
  try {
    report = await runStorm({ ...options, log: values.verbose ? say : undefined });
  } catch (error) {
    const { stack, message } = error as Error;
    say(`seed ${seed}: ${interruption.signal.aborted ? message : stack}`);
    return false;
  }
  say(lineOf(report));
  for (const violation of report.violations.slice(0, MOST_SHOWN)) say(`  ${violation}`);
  const more = report.violations.length - MOST_SHOWN;
  if (more > 0) say(`  and ${more} more`);
  return report.violations.length === 0;
}

const [first, count, jobs] = [whole('seed'), whole('seeds'), whole('jobs')];
for (let seed = first; seed < first + count; seed++) {
  if (await storm(seed, jobs)) continue;
  process.exitCode = 1;
  if (interruption.signal.aborted) break;
  say(`Again: npm run test:faults -- --seed ${seed} --seeds 1 --jobs ${jobs} --verbose`);
}
