import { Api } from '../support/api.js';
import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { KeepAliveClient } from './keep-alive-client.js';
import { readyAt } from './latency.js';
import { addLeads, addRecords, newNotes, SUMMARY } from './leads.js';
import { quantile, spreadOf } from './spread.js';

const ROUNDS = 3;
const EDITS = 150;
const BACKLOG = 10_000;
const LATENCY_MS = 20;

/** What the backlog of one tenant does to the edits of another, through Bull on Redis, with the product's own settings. */
export const fairness: Bench = {
  name: 'fairness',
  what: `from an edit to its value while another tenant has ${BACKLOG} jobs waiting in the same lane, provider latency ${LATENCY_MS} ms, ${ROUNDS} × ${EDITS} edits`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const providerUrl = await stage.slowProvider(LATENCY_MS);
    const env = { REDIS_URL: await stage.redis(), OPENAI_BASE_URL: `${providerUrl}/v1` };
    const api = await stage.product(database, { ...env, ROLE: 'api' });
    const worker = await stage.product(database, { ...env, ROLE: 'worker' });
    try {
      const [busy, other] = [await Api.register(api.url), await Api.register(api.url)];
      const [busyLeads, otherLeads] = [await addLeads(busy), await addLeads(other)];
      const idle: number[][] = [];
      const crowded: number[][] = [];
      for (let round = -1; round < ROUNDS; round++) {
        const before = await timesOfEdits(database, other, otherLeads, `idle ${round}`);
        await addBacklog(database, busy, busyLeads);
        const during = await timesOfEdits(database, other, otherLeads, `crowded ${round}`);
        await clearBacklog(database, busy);
        if (round < 0) continue;
        idle.push(before);
        crowded.push(during);
      }
      return figuresOf(idle, crowded);
    } finally {
      await worker.stop();
      await api.stop();
      await database.drop();
    }
  },
};

async function timesOfEdits(
  database: TestDatabase,
  api: Api,
  pipelineId: string,
  mark: string,
): Promise<number[]> {
  const client = new KeepAliveClient(api);
  const events = await api.events();
  const times: number[] = [];
  for (const id of await addRecords(database, api.tenantId, pipelineId, EDITS)) {
    const started = performance.now();
    const saved = client.save(id, { notes: newNotes(mark) });
    times.push((await readyAt(events, id)) - started);
    await saved;
  }
  events.close();
  client.close();
  return times;
}

/** Jobs of edits, all due. */
async function addBacklog(database: TestDatabase, api: Api, pipelineId: string): Promise<void> {
  const ids = await addRecords(database, api.tenantId, pipelineId, BACKLOG);
  await database.sql(
    `INSERT INTO ai_jobs (tenant_id, id, job_type, pipeline_id, record_id, field, subject, lane, max_retries, origin, principal_id)
     SELECT $1, gen_random_uuid(), 'field_generation', $2, r, $3, r || ':' || $3, 0, 3, 'user', $4 FROM unnest($5::text[]) r`,
    [api.tenantId, pipelineId, SUMMARY, api.userId, ids],
  );
  await database.sql('ANALYZE ai_jobs');
}

/** @throws when it was used up, so that there was nothing to be fair against any more. */
async function clearBacklog(database: TestDatabase, api: Api): Promise<void> {
  const gone = await database.sql(
    `DELETE FROM ai_jobs WHERE tenant_id = $1 AND status = 'pending' RETURNING 1`,
    [api.tenantId],
  );
  if (gone.length === 0) throw new Error('The backlog was done before the edits were.');
}

function figuresOf(idle: number[][], crowded: number[][]): Figure[] {
  const p95 = (rounds: number[][]) => rounds.map((times) => quantile(times, 0.95));
  const ratios = p95(crowded).map((ms, round) => ms / p95(idle)[round]!);
  return [
    { name: 'idle, p95', unit: 'ms', spread: spreadOf(p95(idle)) },
    {
      name: 'beside the backlog, p50',
      unit: 'ms',
      spread: spreadOf(crowded.map((times) => quantile(times, 0.5))),
    },
    { name: 'beside the backlog, p95', unit: 'ms', spread: spreadOf(p95(crowded)) },
    { name: 'p95 beside the backlog / idle', unit: 'ratio', spread: spreadOf(ratios), target: { atMost: 2 } },
  ];
}
