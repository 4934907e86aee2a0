import pg from 'pg';
import { connectionExtras } from '#libs/tenants';
import type { TestDatabase } from '../support/database.js';
import type { Bench, Figure } from './bench.js';
import type { BenchStage } from './bench-stage.js';
import { quantile, spreadOf } from './spread.js';

const TENANTS = 300;
const JOBS = 200_000;
const ROUNDS = 5;
const TURNS = 100;
const WARM_UP = 20;
/** The window that the product starts with. */
const WINDOW = 16;
const TURN = 2;
const HAND_MS = 30_000;

const DISPATCH = {
  name: 'dispatch',
  text: 'SELECT tenant_id, id FROM ai_dispatch_jobs($1, $2, $3, $4, $5, $6, $7)',
};
/** What any answer takes, so that the load of the machine shows. */
const ROUND_TRIP = { name: 'round_trip', text: 'SELECT $1::int' };
const TAKE_BACK = 'UPDATE ai_jobs SET handed_until = NULL WHERE handed_until IS NOT NULL';

interface Handed {
  tenant_id: string;
  id: string;
}

/** Milliseconds of each turn of a round. */
interface Times {
  all: number[];
  own: number[];
  roundTrip: number[];
}

/** Handing out jobs while a great many wait, to everybody in turn and to a tenant that has just saved something. */
export const dispatch: Bench = {
  name: 'dispatch',
  what: `100 jobs out of ${JOBS} pending of ${TENANTS} tenants, and one tenant's own, in turns, ${ROUNDS} × ${TURNS} of each`,
  run: async (stage: BenchStage): Promise<Figure[]> => {
    const database = await stage.database();
    const client = new pg.Client({
      connectionString: database.url,
      options: connectionExtras().options,
    });
    await client.connect();
    try {
      await fill(database);
      return await measure(database, client);
    } finally {
      await client.end();
      await database.drop();
    }
  },
};

/** As many jobs for each tenant, of the last hour. */
async function fill(database: TestDatabase): Promise<void> {
  await database.sql(
    `INSERT INTO ai_jobs (tenant_id, id, job_type, pipeline_id, record_id, field, subject, lane, max_retries, origin, principal_id, run_after)
     SELECT 'tenant-' || lpad((i % $1)::text, 3, '0'), gen_random_uuid(), 'field_generation', 'p', 'r' || i, 'summary', 'r' || i || ':summary', 0,
       3, 'user', 'u', clock_timestamp() - make_interval(secs => 3600.0 * i / $2)
       FROM generate_series(1, $2::int) i`,
    [TENANTS, JOBS],
  );
  await database.sql('VACUUM ANALYZE');
  await database.sql('CHECKPOINT');
}

async function measure(database: TestDatabase, client: pg.Client): Promise<Figure[]> {
  const rounds: Times[] = [];
  let cursor = '';
  for (let round = -1; round < ROUNDS; round++) {
    const times: Times = { all: [], own: [], roundTrip: [] };
    for (let turn = 0; turn < (round < 0 ? WARM_UP : TURNS); turn++) {
      const all = await handOut(client, { limit: 100, after: cursor, only: null }, 100);
      cursor = all.last >= 'tenant-25' ? '' : all.last;
      await database.sql(TAKE_BACK);
      const only = `tenant-${String((turn * 7) % TENANTS).padStart(3, '0')}`;
      const own = await handOut(client, { limit: 40, after: '', only }, WINDOW);
      await database.sql(TAKE_BACK);
      times.all.push(all.ms);
      times.own.push(own.ms);
      const started = performance.now();
      await client.query({ ...ROUND_TRIP, values: [1] });
      times.roundTrip.push(performance.now() - started);
    }
    if (round >= 0) rounds.push(times);
  }
  return figuresOf(rounds);
}

/** @throws when it hands out another number than is due. */
async function handOut(
  client: pg.Client,
  { limit, after, only }: { limit: number; after: string; only: string | null },
  due: number,
): Promise<{ ms: number; last: string }> {
  const started = performance.now();
  const { rows } = await client.query<Handed>({
    ...DISPATCH,
    values: [0, limit, WINDOW, TURN, after, only, HAND_MS],
  });
  const ms = performance.now() - started;
  if (rows.length !== due) throw new Error(`${rows.length} jobs were handed out, ${due} were due.`);
  return { ms, last: rows.at(-1)!.tenant_id };
}

function figuresOf(rounds: Times[]): Figure[] {
  const at = (side: keyof Times, share: number) =>
    spreadOf(rounds.map((times) => quantile(times[side], share)));
  return [
    { name: '100 of all tenants, p50', unit: 'ms', spread: at('all', 0.5) },
    { name: '100 of all tenants, p95', unit: 'ms', spread: at('all', 0.95), target: { atMost: 25 } },
    { name: 'one tenant, p50', unit: 'ms', spread: at('own', 0.5) },
    { name: 'one tenant, p95', unit: 'ms', spread: at('own', 0.95), target: { atMost: 3 } },
    { name: 'a bare round trip, p95', unit: 'ms', spread: at('roundTrip', 0.95) },
  ];
}
