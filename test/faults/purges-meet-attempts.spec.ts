import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { AppConnections, asTenant, isBlocked, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { claim, enqueue, type Claim } from '../support/job-functions.js';

const TENANT = 'acme';

interface Recorded {
  request: unknown;
  answer: string | null;
}

describe('a field that is purged', () => {
  let database: TestDatabase;
  let connections: AppConnections;
  let purging: pg.Client;
  let working: pg.Client;
  /** The number of the last call. */
  let n = 0;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 2);
    [purging, working] = [connections.clients[0]!, connections.clients[1]!];
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  /** Begins a purge that is under way until it is committed. */
  async function beginPurge(field = 'salary', pipeline = 'leads'): Promise<void> {
    await purging.query('BEGIN');
    await purging.query(`SELECT set_config('app.tenant_id', $1, true)`, [TENANT]);
    await purging.query('SELECT ai_begin_purge($1, $2, $3)', [TENANT, pipeline, field]);
  }

  async function add(): Promise<string> {
    const subject = `${randomUUID()}:sum`;
    const [id] = await asTenant(working, TENANT, () => enqueue(working, TENANT, [{ subject }]));
    await database.sql(`UPDATE ai_jobs SET pipeline_id = 'leads' WHERE id = $1`, [id]);
    return id!;
  }

  const take = (id: string): Promise<Claim | undefined> =>
    asTenant(working, TENANT, () => claim(working, TENANT, id));

  /** As a worker does: it sees everything as of one moment. */
  async function takeAsOfNow(id: string): Promise<Claim | undefined> {
    await working.query('SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    try {
      return await take(id);
    } finally {
      await working.query('SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED');
    }
  }

  const snapshot = async (): Promise<string> =>
    (await row<{ now: string }>(working, 'SELECT pg_current_snapshot()::text AS now', [])).now;

  /** Records a call made from `salary`, by whoever saw this. @returns what was kept of it. */
  async function record(seen: string, jobId: string = randomUUID(), attempt = 1): Promise<Recorded> {
    const id = randomUUID();
    const execution = {
      ...{ id, job_id: jobId, attempt, n: ++n, pipeline_id: 'leads', principal_id: 'ann', origin: 'api' },
      ...{ provider: 'openai', model: 'gpt-4o-mini', fingerprint: 'f', stored: false },
      ...{ request: { messages: [] }, answer: 'Earns much', sources: ['name', 'salary'], snapshot: seen },
    };
    await asTenant(working, TENANT, () =>
      row(working, `SELECT ai_record_calls($1, $2, '[]')`, [TENANT, JSON.stringify([execution])]),
    );
    const [kept] = await database.sql<Recorded>('SELECT request, answer FROM ai_executions WHERE id = $1', [
      id,
    ]);
    return kept!;
  }

  const NOTHING: Recorded = { request: null, answer: null };
  const ALL: Recorded = { request: { messages: [] }, answer: 'Earns much' };

  it('lets no attempt begin until that is done, and makes none wait for it', async () => {
    const id = await add();
    await beginPurge();
    expect(await takeAsOfNow(id)).toBeUndefined();
    const [job] = await database.sql<{ status: string; wait_reason: string }>(
      'SELECT status, wait_reason FROM ai_jobs WHERE id = $1',
      [id],
    );
    expect(job).toEqual({ status: 'pending', wait_reason: 'busy' });
    await purging.query('COMMIT');
    await database.sql('UPDATE ai_jobs SET run_after = now() WHERE id = $1', [id]);
    expect(await takeAsOfNow(id)).toMatchObject({ attempt: 1 });
  });

  it('waits for attempts that are beginning', async () => {
    const id = await add();
    await working.query('BEGIN');
    await working.query(`SELECT set_config('app.tenant_id', $1, true)`, [TENANT]);
    expect(await claim(working, TENANT, id)).toBeDefined();
    const begun = beginPurge();
    expect(await isBlocked(database, purging, begun)).toBe(true);
    await working.query('COMMIT');
    await begun;
    const { rows } = await purging.query(`SELECT id FROM ai_jobs WHERE id = $1 AND status = 'processing'`, [
      id,
    ]);
    expect(rows).toHaveLength(1);
    await purging.query('ROLLBACK');
  });

  it('is found by what had not seen the end of that, whenever it began', async () => {
    const before = await snapshot();
    await beginPurge();
    const meanwhile = await snapshot();
    await purging.query('COMMIT');
    const after = await snapshot();
    expect(await record(before)).toEqual(NOTHING);
    expect(await record(meanwhile)).toEqual(NOTHING);
    expect(await record(after)).toEqual(ALL);
  });

  it('is waited for by a call that no job in flight stands behind', async () => {
    const seen = await snapshot();
    await beginPurge();
    const recorded = record(seen);
    expect(await isBlocked(database, working, recorded)).toBe(true);
    await purging.query('COMMIT');
    expect(await recorded).toEqual(NOTHING);
  });

  it('withdraws the attempt, and a late call of one that was given up', async () => {
    const id = await add();
    const seen = await snapshot();
    const { attempt } = (await take(id))!;
    await beginPurge();
    await purging.query('COMMIT');
    const isWithdrawn = async () =>
      (await database.sql<{ withdrawn: boolean }>('SELECT withdrawn FROM ai_jobs WHERE id = $1', [id]))[0]!
        .withdrawn;
    expect(await record(seen, id, attempt)).toEqual(NOTHING);
    expect(await isWithdrawn()).toBe(true);

    await database.sql(`UPDATE ai_jobs SET status = 'pending' WHERE id = $1`, [id]);
    const again = (await take(id))!;
    expect(await record(seen, id, attempt)).toEqual(NOTHING);
    expect(await isWithdrawn()).toBe(false);
    expect(await record(await snapshot(), id, again.attempt)).toEqual(ALL);
  });

  it('of another pipeline, or of a server that was restored here, is not found', async () => {
    const seen = await snapshot();
    await database.sql('DELETE FROM ai_purged_fields');
    await beginPurge('salary', 'companies');
    await purging.query('COMMIT');
    expect(await record(seen)).toEqual(ALL);
    await database.sql(
      `INSERT INTO ai_purged_fields VALUES ($1, 'leads', 'salary', '9000000000000000000', clock_timestamp())`,
      [TENANT],
    );
    expect(await record(seen)).toEqual(ALL);
  });
});
