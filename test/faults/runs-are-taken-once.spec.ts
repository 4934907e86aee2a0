import { randomUUID } from 'node:crypto';
import { AppConnections, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

interface Taken {
  tenant_id: string;
  id: string;
}

describe('a run that nobody queues any more', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 8);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });
  beforeEach(() => database.sql('DELETE FROM ai_runs'));

  /** @param lease seconds until it runs out; negative for one that has. */
  async function add(tenantId: string, lease: number, queueing = true): Promise<string> {
    const id = randomUUID();
    await database.sql(
      `INSERT INTO ai_runs (tenant_id, id, pipeline_id, field, scope, principal_id, queueing, lease_owner, lease_until)
       VALUES ($1, $2, 'p', 'f', 'all', 'ann', $4, gen_random_uuid(), clock_timestamp() + make_interval(secs => $3))`,
      [tenantId, id, lease, queueing],
    );
    return id;
  }

  async function take(n = 0): Promise<Taken[]> {
    const sql = 'SELECT * FROM ai_take_run($1, 60000)';
    return (await connections.clients[n]!.query<Taken>(sql, [randomUUID()])).rows;
  }

  it('goes to one process, whatever tenant it is of and however many ask', async () => {
    const ids = [await add('acme', -1), await add('other', -2), await add('acme', -3)];
    const taken = (await Promise.all(connections.clients.map((_, n) => take(n)))).flat();
    expect(taken.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(new Set(taken.map(({ tenant_id: tenant }) => tenant))).toEqual(new Set(['acme', 'other']));
    expect(await take()).toEqual([]);
  });

  it('is one whose lease ran out, the oldest first; never one that is stopped or done', async () => {
    await add('acme', 60);
    await add('acme', -9, false);
    const [young, old] = [await add('acme', -1), await add('acme', -2)];
    expect(await take()).toEqual([{ tenant_id: 'acme', id: old }]);
    expect(await take()).toEqual([{ tenant_id: 'acme', id: young }]);
    expect(await take()).toEqual([]);
  });

  it('is not one whose page is being queued at this moment', async () => {
    await add('acme', -1);
    const [busy, asking] = [1, 2];
    const queueing = connections.clients[busy]!;
    await queueing.query('BEGIN');
    await queueing.query(`SELECT set_config('app.tenant_id', 'acme', true)`);
    await row(queueing, 'SELECT id FROM ai_runs FOR UPDATE', []);
    expect(await take(asking)).toEqual([]);
    await queueing.query('ROLLBACK');
    expect(await take(asking)).toHaveLength(1);
  });
});
