import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { AppConnections, asTenant, isBlocked } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { claim, enqueue, giveBack, type Claim } from '../support/job-functions.js';

const TENANT = 'acme';
const SUPERSEDED = { status: 'cancelled', error_code: 'superseded' };

describe('a job that would wait beside a pending one of its value', () => {
  let database: TestDatabase;
  let connections: AppConnections;
  let worker: pg.Client;
  let other: pg.Client;
  let edited: Claim;
  let wanted: string;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 2);
    [worker, other] = connections.clients as [pg.Client, pg.Client];
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  /** What a person asked for, urgently, is being made; then a run wants it too, and its job is on its way to a worker. */
  beforeEach(async () => {
    await database.sql('DELETE FROM ai_jobs');
    const [id] = await enqueue(worker, TENANT, [{ subject: 'r1', priority: 0, force: true }]);
    edited = (await asTenant(worker, TENANT, () => claim(worker, TENANT, id!)))!;
    const backfill = { subject: 'r1', lane: 1, priority: 2, origin: 'backfill' } as const;
    [wanted] = (await enqueue(worker, TENANT, [backfill])) as [string];
    await database.sql(`UPDATE ai_jobs SET handed_until = now() + interval '1 hour' WHERE id = $1`, [wanted]);
  });

  async function jobOf(id: string): Promise<object> {
    const [job] = await database.sql<object>(
      'SELECT status, error_code, lane, priority, force, origin, handed_until FROM ai_jobs WHERE id = $1',
      [id],
    );
    return job!;
  }

  async function expectHandedOn(): Promise<void> {
    expect(await jobOf(edited.id)).toMatchObject(SUPERSEDED);
    expect(await jobOf(wanted)).toEqual({
      status: 'pending',
      error_code: null,
      lane: 0,
      priority: 0,
      force: true,
      origin: 'user',
      handed_until: null,
    });
  }

  const finish = (): Promise<string> => asTenant(worker, TENANT, () => giveBack(worker, TENANT, edited));
  const sweep = (client: pg.Client): Promise<unknown[]> =>
    client.query('SELECT * FROM ai_sweep_jobs(100, 60000)').then(({ rows }) => rows);

  /** Two runs that count the job in flight, and one that counts the other. @returns their ids. */
  async function countInRuns(): Promise<string[]> {
    const runs = Array.from({ length: 3 }, () => randomUUID());
    await database.sql(
      `INSERT INTO ai_runs (tenant_id, id, pipeline_id, field, scope, principal_id)
       SELECT $1, r, 'p', 'summary', 'all', 'ann' FROM unnest($2::uuid[]) r`,
      [TENANT, runs],
    );
    await database.sql(
      `INSERT INTO ai_run_jobs (tenant_id, run_id, job_id)
       SELECT $1, r, j FROM unnest($2::uuid[], $3::uuid[]) x(r, j)`,
      [TENANT, runs, [edited.id, edited.id, wanted]],
    );
    return runs;
  }

  async function expectCounted(runs: readonly string[]): Promise<void> {
    const rows = await database.sql(
      'SELECT run_id, job_id, earlier FROM ai_run_jobs WHERE run_id = ANY ($1::uuid[]) ORDER BY array_position($1::uuid[], run_id)',
      [runs],
    );
    const earlier = [[edited.id], [edited.id], []];
    expect(rows).toEqual(runs.map((run_id, n) => ({ run_id, job_id: wanted, earlier: earlier[n] })));
  }

  async function loseWorker(): Promise<void> {
    await database.sql(`UPDATE ai_jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, [
      edited.id,
    ]);
  }

  it('leaves that one all it was to do', async () => {
    expect(await finish()).toBe('cancelled');
    await expectHandedOn();
  });

  it('does so too where its worker died', async () => {
    await loseWorker();
    expect(await sweep(worker)).toMatchObject([{ id: edited.id, status: 'cancelled' }]);
    await expectHandedOn();
  });

  it('hands the runs that count it on, too', async () => {
    const runs = await countInRuns();
    await finish();
    await expectCounted(runs);
  });

  it('does so too where its worker died, and holds nobody up who queues such a run', async () => {
    const runs = await countInRuns();
    await loseWorker();
    await other.query('BEGIN');
    await other.query(`SELECT set_config('app.tenant_id', $1, true)`, [TENANT]);
    await other.query('SELECT FROM ai_runs WHERE id = ANY ($1) FOR UPDATE', [runs]);
    expect(await sweep(worker)).toMatchObject([{ id: edited.id, status: 'cancelled' }]);
    await other.query('COMMIT');
    await expectCounted(runs);
  });

  it('keeps the cause of an edit that came later', async () => {
    await enqueue(worker, TENANT, [{ subject: 'r1', lane: 1 }]);
    await database.sql(`UPDATE ai_jobs SET principal_id = 'ben' WHERE id = $1`, [wanted]);
    await finish();
    const [job] = await database.sql('SELECT origin, principal_id, lane FROM ai_jobs WHERE id = $1', [
      wanted,
    ]);
    expect(job).toEqual({ origin: 'user', principal_id: 'ben', lane: 0 });
  });

  it('waits for whoever stops the pending one, and then stays', async () => {
    await other.query('BEGIN');
    await other.query(`SELECT set_config('app.tenant_id', $1, true)`, [TENANT]);
    await other.query(`UPDATE ai_jobs SET status = 'cancelled', completed_at = now() WHERE id = $1`, [
      wanted,
    ]);
    const finishing = finish();
    expect(await isBlocked(database, worker, finishing)).toBe(true);
    await other.query('COMMIT');
    expect(await finishing).toBe('pending');
    expect(await jobOf(edited.id)).toMatchObject({ status: 'pending', origin: 'user', force: true });
  });

  it('is left to the next sweep where somebody has the pending one locked', async () => {
    await loseWorker();
    await other.query('BEGIN');
    await enqueue(other, TENANT, [{ subject: 'r1' }]);
    expect(await sweep(worker)).toEqual([]);
    await other.query('COMMIT');
    expect(await sweep(worker)).toMatchObject([{ id: edited.id, status: 'cancelled' }]);
    await expectHandedOn();
  });
});
