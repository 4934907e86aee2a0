import { Api } from '../support/api.js';
import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { KeepAliveClient } from './keep-alive-client.js';
import { addLeads, addRecords, newNotes } from './leads.js';
import { median, spreadOf } from './spread.js';

const ROUNDS = 5;
const RECORDS = 500;
const WARM_UP = 200;
/** Nobody is there: the API of a split product makes jobs and never touches the queue. */
const API_ONLY = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' };

/** Median milliseconds of a round. */
interface Round {
  plainFirst: number;
  plainAgain: number;
  /** The save that inserts the job. */
  insert: number;
  /** The save that is folded into the job that is pending. */
  fold: number;
}

/** The same save in a pipeline with an AI field that it makes due, and in one without. */
export const saving: Bench = {
  name: 'saving',
  what: `PATCH of a record with one AI field due against the same without, in turns, ${ROUNDS} × ${RECORDS} of each`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const product = await stage.product(database, API_ONLY);
    try {
      return figuresOf(await measure(database, await Api.register(product.url)));
    } finally {
      await product.stop();
      await database.drop();
    }
  },
};

async function measure(database: TestDatabase, api: Api): Promise<Round[]> {
  const client = new KeepAliveClient(api);
  const withAi = await addLeads(api);
  const without = await addLeads(api, { ai: false });
  const rounds: Round[] = [];
  for (let i = -1; i < ROUNDS; i++) {
    const count = i < 0 ? WARM_UP : RECORDS;
    const ai = await addRecords(database, api.tenantId, withAi, count);
    const plain = await addRecords(database, api.tenantId, without, count);
    await database.sql('VACUUM ANALYZE');
    await database.sql('CHECKPOINT');
    const [plainFirst, insert] = await inTurns(client, plain, ai, `first ${i}`);
    const [plainAgain, fold] = await inTurns(client, plain, ai, `again ${i}`);
    await checkJobs(database, ai);
    if (i >= 0) rounds.push({ plainFirst, plainAgain, insert, fold });
  }
  client.close();
  return rounds;
}

/** Saves a record of each side at a time, each side first in every second pair. @returns the median of each side. */
async function inTurns(
  client: KeepAliveClient,
  plain: string[],
  ai: string[],
  mark: string,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (const [i, pair] of plain.map((id, at) => [id, ai[at]!] as const).entries()) {
    for (const side of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const started = performance.now();
      await client.save(pair[side], { notes: newNotes(`${mark} ${i}`) });
      times[side].push(performance.now() - started);
    }
  }
  return [median(times[0]), median(times[1])];
}

/** Two saves of each record must have made exactly one job of it. */
async function checkJobs(database: TestDatabase, recordIds: string[]): Promise<void> {
  const [found] = await database.sql<{ jobs: number; records: number }>(
    `SELECT count(*)::int AS jobs, count(DISTINCT record_id)::int AS records FROM ai_jobs
      WHERE record_id = ANY ($1) AND status = 'pending'`,
    [recordIds],
  );
  if (found?.jobs === recordIds.length && found.records === recordIds.length) return;
  throw new Error(`${recordIds.length} records were saved twice, which made ${found?.jobs} jobs.`);
}

function figuresOf(rounds: Round[]): Figure[] {
  const ms = (name: string, of: (round: Round) => number): Figure => ({
    name,
    unit: 'ms',
    spread: spreadOf(rounds.map(of)),
  });
  const ratio = (name: string, of: (round: Round) => number): Figure => ({
    name,
    unit: 'ratio',
    spread: spreadOf(rounds.map(of)),
    target: { atMost: 1.25 },
  });
  return [
    ms('plain save', (round) => (round.plainFirst + round.plainAgain) / 2),
    ms('save that inserts a job', (round) => round.insert),
    ms('save that folds into a job', (round) => round.fold),
    ratio('inserting / plain', (round) => round.insert / round.plainFirst),
    ratio('folding / plain', (round) => round.fold / round.plainAgain),
  ];
}
