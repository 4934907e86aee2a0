import type pg from 'pg';
import { AppConnections, asTenant, isBlocked, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { claim, complete, enqueue } from '../support/job-functions.js';
import { Random } from '../support/random.js';

const TENANT = 'acme';
const EDITORS = 16;
const WORKERS = 8;
const EDITS = 25;
const SUBJECTS = ['r1', 'r2', 'r3'];

/** Versions of each subject: as edited, and as the last worker that claimed its job has read them. */
type Versions = Map<string, number>;

describe('no edit is lost between enqueue and claim', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    await database.sql(`CREATE TABLE test_records (subject text PRIMARY KEY, version int NOT NULL)`);
    await database.sql(`GRANT ALL ON test_records TO fieldsmith_app`);
    for (const subject of SUBJECTS) await database.sql('INSERT INTO test_records VALUES ($1, 0)', [subject]);
    connections = await AppConnections.open(database, EDITORS + WORKERS);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  /** One edit as a host makes it: the record and its job in one transaction. */
  const edit = (client: pg.Client, subject: string, debounceMs: number) =>
    asTenant(client, TENANT, async () => {
      await client.query('UPDATE test_records SET version = version + 1 WHERE subject = $1', [subject]);
      await enqueue(client, TENANT, [{ subject, debounceMs }]);
    });

  const versionOf = async (client: pg.Client, subject: string): Promise<number> => {
    const sql = 'SELECT version FROM test_records WHERE subject = $1';
    return (await row<{ version: number }>(client, sql, [subject])).version;
  };

  const pendingIds = async (client: pg.Client) =>
    asTenant(client, TENANT, async () => {
      const { rows } = await client.query<{ id: string }>(`SELECT id FROM ai_jobs WHERE status = 'pending'`);
      return rows.map(({ id }) => id);
    });

  /** Claims a job, reads its record in the transaction of the claim as the product does, and completes it. */
  const workOn = async (client: pg.Client, id: string, seen: Versions): Promise<void> => {
    const claimed = await asTenant(client, TENANT, async () => {
      const job = await claim(client, TENANT, id);
      if (!job) return undefined;
      return { job, version: await versionOf(client, job.subject!) };
    });
    if (!claimed) return;
    const subject = claimed.job.subject!;
    seen.set(subject, Math.max(seen.get(subject) ?? 0, claimed.version));
    await complete(client, TENANT, claimed.job);
  };

  it('a claim waits for the edit that is being saved, and then reads it', async () => {
    const [editor, worker] = connections.clients as [pg.Client, pg.Client];
    const [id] = await enqueue(editor, TENANT, [{ subject: 'r1' }]);
    await editor.query('BEGIN');
    await editor.query(`UPDATE test_records SET version = version + 1 WHERE subject = 'r1'`);
    expect(await enqueue(editor, TENANT, [{ subject: 'r1' }])).toEqual([id]);
    const seen: Versions = new Map();
    const working = workOn(worker, id!, seen);
    expect(await isBlocked(database, worker, working)).toBe(true);
    await editor.query('COMMIT');
    await working;
    expect(seen.get('r1')).toBe(await versionOf(editor, 'r1'));
    expect(await pendingIds(editor)).toEqual([]);
  });

  it('an edit waits for the claim that is being made, and then gets a job of its own', async () => {
    const [editor, worker] = connections.clients as [pg.Client, pg.Client];
    const [id] = await enqueue(editor, TENANT, [{ subject: 'r1' }]);
    await worker.query('BEGIN');
    await worker.query(`SELECT set_config('app.tenant_id', $1, true)`, [TENANT]);
    const claimed = await claim(worker, TENANT, id!);
    const editing = edit(editor, 'r1', 0);
    expect(await isBlocked(database, editor, editing)).toBe(true);
    await worker.query('COMMIT');
    await editing;
    const pending = await pendingIds(editor);
    expect(pending).toHaveLength(1);
    expect(pending).not.toContain(id);
    const seen: Versions = new Map();
    await workOn(worker, pending[0]!, seen);
    expect(seen.size).toBe(0);
    await complete(worker, TENANT, claimed!);
    await workOn(worker, pending[0]!, seen);
    expect(seen.get('r1')).toBe(await versionOf(editor, 'r1'));
  });

  it.each([1, 2, 3])('whatever the interleaving (seed %i)', async (seed) => {
    const seen: Versions = new Map();
    let editing = EDITORS;
    const editors = connections.clients.slice(0, EDITORS).map(async (client, n) => {
      const random = new Random(seed * 1000 + n);
      for (let k = 0; k < EDITS; k++) await edit(client, random.pick(SUBJECTS), random.integer(0, 2));
      editing -= 1;
    });
    const workers = connections.clients.slice(EDITORS).map(async (client) => {
      while (editing > 0) for (const id of await pendingIds(client)) await workOn(client, id, seen);
    });
    await Promise.all([...editors, ...workers]);

    // What waits for its pace or for a busy value is due some time; here that time has come.
    for (
      let ids = await pendingIds(connections.first);
      ids.length > 0;
      ids = await pendingIds(connections.first)
    ) {
      await database.sql(`UPDATE ai_jobs SET run_after = clock_timestamp() WHERE status = 'pending'`);
      for (const id of ids) await workOn(connections.first, id, seen);
    }
    const records = await database.sql<{ subject: string; version: number }>('SELECT * FROM test_records');
    expect(records.map(({ subject, version }) => [subject, seen.get(subject) === version])).toEqual(
      records.map(({ subject }) => [subject, true]),
    );
    const [jobs] = await database.sql<{ folded: boolean; open: number }>(
      `SELECT count(*) < $1 AS folded, count(*) FILTER (WHERE status <> 'completed')::int AS open FROM ai_jobs`,
      [EDITORS * EDITS * seed],
    );
    expect(jobs).toEqual({ folded: true, open: 0 });
  });
});
