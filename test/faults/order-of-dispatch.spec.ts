import { AppConnections, asTenant, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { claim, dispatch, enqueue, type TestJob } from '../support/job-functions.js';

describe('the order of dispatch', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 1);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  const handOne = async (lane: 0 | 1): Promise<string | undefined> =>
    (await dispatch(connections.first, { lane, limit: 1 }))[0]?.id;

  it('takes the lane that is asked for, in it the highest priority first, in it the first due', async () => {
    const jobs: TestJob[] = [
      { subject: 'low', priority: 2 },
      { subject: 'default-first', priority: 1 },
      { subject: 'backfill-high', lane: 1, priority: 0 },
      { subject: 'default-second', priority: 1 },
      { subject: 'high', priority: 0 },
      { subject: 'backfill-default', lane: 1, priority: 1 },
    ];
    const ids = await enqueue(connections.first, 'order', jobs);
    const id = (subject: string) => ids[jobs.findIndex((job) => job.subject === subject)];
    const handed = [];
    for (let n = 0; n < 5; n++) handed.push(await handOne(0));
    expect(handed).toEqual([id('high'), id('default-first'), id('default-second'), id('low'), undefined]);
    expect([await handOne(1), await handOne(1), await handOne(1)]).toEqual([
      id('backfill-high'),
      id('backfill-default'),
      undefined,
    ]);
  });

  it('steps from tenant to tenant, so that none waits for the backlog of another', async () => {
    await enqueue(
      connections.first,
      'a-big',
      Array.from({ length: 500 }, (_, n) => ({ subject: `big-${n}` })),
    );
    await enqueue(connections.first, 'b-small', [{ subject: 'small' }]);
    const handed = await dispatch(connections.first, { limit: 20, window: 16 });
    expect(handed.filter(({ tenant_id }) => tenant_id === 'a-big')).toHaveLength(16);
    expect(handed.filter(({ tenant_id }) => tenant_id === 'b-small')).toHaveLength(1);
  });

  it('an edit pulls the waiting backfill job of its value into its own lane', async () => {
    const [backfill] = await enqueue(connections.first, 'pull', [{ subject: 'value', lane: 1, priority: 2 }]);
    const [edit] = await enqueue(connections.first, 'pull', [{ subject: 'value', lane: 0, priority: 1 }]);
    expect(edit).toBe(backfill);
    expect(await handOne(1)).toBeUndefined();
    expect(await handOne(0)).toBe(edit);
    const claimed = await asTenant(connections.first, 'pull', () => claim(connections.first, 'pull', edit!));
    expect(claimed).toMatchObject({ id: edit, attempt: 1 });
    const again = await asTenant(connections.first, 'pull', () => claim(connections.first, 'pull', edit!));
    expect(again).toBeUndefined();
  });

  /** Rows of jobs that the connection has read and not yet told the statistics of; within a transaction it tells none. */
  const rowsRead = async (): Promise<number> => {
    const sql = `SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relname = 'ai_jobs'`;
    return Number((await row<{ rows: string }>(connections.first, sql, [])).rows);
  };

  it('reads what it hands out and no more, however many wait', async () => {
    const jobs = Array.from({ length: 3_000 }, (_, n) => ({ subject: `waits-${n}` }));
    await enqueue(connections.first, 'many', jobs);
    await database.sql('ANALYZE ai_jobs');
    for (const only of [undefined, 'many']) {
      await asTenant(connections.first, '', async () => {
        const before = await rowsRead();
        const handed = await dispatch(connections.first, { after: 'm', limit: 4, turn: 2, only });
        expect(handed.length).toBeGreaterThan(0);
        expect((await rowsRead()) - before).toBeLessThan(100);
      });
    }
  });
});
