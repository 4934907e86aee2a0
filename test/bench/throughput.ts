import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestDatabase } from '../support/database.js';
import { ended, type BenchStage } from './bench-stage.js';
import type { Bench, Figure } from './bench.js';
import type { HandWrittenOptions } from './hand-written-worker.js';
import { productSide, rateOf, WORKER, WORKER_CONCURRENCY, type Side } from './side.js';
import { spreadOf } from './spread.js';
import { addTenants, type Tenants } from './workload.js';

const ROUNDS = 7;
const JOBS = 2_500;
const MANY = 50;
const CONNECTIONS = 8;

/** Jobs per second of one round. */
interface Round {
  product: number;
  handWritten: number;
}

const ORDER: (keyof Round)[] = ['product', 'handWritten'];

/** Jobs from end to end, by the product and by a loop one would write by hand with plain `pg`. */
export const throughput: Bench = {
  name: 'throughput',
  what: `jobs per second with an instant provider against a hand-written loop, in turns, ${ROUNDS} × ${JOBS} of each, of ${MANY} tenants and of one`,
  run: (stage) => againstLoop(stage, { env: {}, sets: ['many', 'one'], rounds: ROUNDS, atLeast: 0.7 }),
};

/** The same with Bull on Redis between the dispatcher and the worker. */
export const bull: Bench = {
  name: 'bull',
  what: `the same through Bull on Redis, ${ROUNDS} × ${JOBS} of each, of ${MANY} tenants`,
  run: async (stage) => {
    const env = { REDIS_URL: await stage.redis() };
    return againstLoop(stage, { env, sets: ['many'], rounds: ROUNDS, atLeast: 0.6 });
  },
};

interface Contest {
  /** What the product is started with besides {@link WORKER}. */
  env: Record<string, string>;
  sets: (keyof Tenants)[];
  rounds: number;
  /** The target of the ratio. */
  atLeast: number;
}

async function againstLoop(stage: BenchStage, contest: Contest): Promise<Figure[]> {
  const [ours, theirs] = [await stage.database(), await stage.database()];
  const product = await stage.product(ours, { ...WORKER, ...contest.env });
  const loop = await startLoop({
    databaseUrl: theirs.url,
    providerUrl: stage.providerUrl,
    concurrency: WORKER_CONCURRENCY,
    connections: CONNECTIONS,
  });
  try {
    const tenants = await addTenants(ours, product.url, MANY, JOBS);
    const second = await stage.product(theirs, { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' });
    const copied = await addTenants(theirs, second.url, MANY, JOBS).finally(() => second.stop());
    const sides = {
      product: productSide(ours, tenants, product),
      handWritten: loopSide(theirs, copied, loop),
    };
    return await measure(sides, contest);
  } finally {
    product.process.kill('SIGCONT');
    await product.stop();
    await ended(loop);
    await ours.drop();
    await theirs.drop();
  }
}

async function startLoop(options: HandWrittenOptions): Promise<ChildProcess> {
  const main = fileURLToPath(new URL('hand-written-worker.js', import.meta.url));
  const loop = fork(main, [JSON.stringify(options)]);
  await once(loop, 'message');
  return loop;
}

/** The loop is told all jobs at once: finding and distributing them costs it nothing. */
function loopSide(database: TestDatabase, tenants: Tenants, loop: ChildProcess): Side {
  const gone = once(loop, 'exit').then(() => {
    throw new Error('The hand-written loop ended: its output says why.');
  });
  gone.catch(() => undefined);
  return {
    database,
    tenants,
    work: async (jobs) => {
      const done = new Promise((resolve) => loop.once('message', resolve));
      loop.send(jobs);
      await Promise.race([done, gone]);
    },
  };
}

async function measure(
  sides: Record<keyof Round, Side>,
  { sets, rounds, atLeast }: Contest,
): Promise<Figure[]> {
  const measured: Record<keyof Tenants, Round[]> = { many: [], one: [] };
  for (let round = -1; round < rounds; round++) {
    for (const set of sets) {
      const rates: Round = { product: 0, handWritten: 0 };
      for (const side of round % 2 === 0 ? ORDER : ORDER.toReversed())
        rates[side] = await rateOf(sides[side], set, round);
      if (round >= 0) measured[set].push(rates);
    }
  }
  return sets.flatMap((set) =>
    figuresOf(set === 'many' ? `${MANY} tenants` : 'one tenant', measured[set], atLeast),
  );
}

function figuresOf(name: string, rounds: Round[], atLeast: number): Figure[] {
  return [
    {
      name: `${name}: Fieldsmith`,
      unit: 'per second',
      spread: spreadOf(rounds.map((round) => round.product)),
    },
    {
      name: `${name}: hand-written`,
      unit: 'per second',
      spread: spreadOf(rounds.map((round) => round.handWritten)),
    },
    {
      name: `${name}: Fieldsmith / hand-written`,
      unit: 'ratio',
      spread: spreadOf(rounds.map((round) => round.product / round.handWritten)),
      target: { atLeast },
    },
  ];
}
