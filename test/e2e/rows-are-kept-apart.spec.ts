import type pg from 'pg';
import type { Api } from '../support/api.js';
import { AppConnections, asTenant } from '../support/app-connections.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** What Postgres calls a right that is missing, and a row that a policy refuses. */
const REFUSED = '42501';
/** The only tables that belong to no tenant: the installation's own. */
const NOT_TENANTS = ['ai_maintenance', 'ai_workers', 'migrations'];

describe('rows of a tenant', () => {
  let stage: Stage;
  let api: Api;
  let other: Api;
  let connections: AppConnections | undefined;
  let client: pg.Client;
  let tables: string[];

  beforeAll(async () => {
    stage = await setStage();
    [api, other] = [await stage.tenant('One'), await stage.tenant('Other')];
    for (const each of [api, other]) await useEverything(each);
    await api.until('nothing moves any more', async () => {
      const moving = `SELECT FROM ai_holds UNION ALL SELECT FROM ai_jobs WHERE status IN ('pending', 'processing')`;
      return (await stage.database.sql(moving)).length === 0;
    });
    connections = await AppConnections.open(stage.database, 1);
    client = connections.first;
    const found = await stage.database.sql<{ name: string; has_tenant: boolean }>(`
      SELECT c.relname AS name, EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       ORDER BY 1`);
    expect(found.filter(({ has_tenant }) => !has_tenant).map(({ name }) => name)).toEqual(NOT_TENANTS);
    tables = found.filter(({ has_tenant }) => has_tenant).map(({ name }) => name);
  });

  afterAll(async () => {
    await connections?.close();
    await stage.close();
  });

  /** Something of a tenant in as many tables as the API reaches. */
  async function useEverything(tenant: Api): Promise<void> {
    const pipelineId = await addPipeline(tenant, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    const { id } = await addSettled(tenant, pipelineId, { name: `Ada of ${tenant.tenantId}` });
    await tenant.patch('/ai-settings', { monthly_budget_cents: 500 });
    await tenant.post(`/pipelines/${pipelineId}/ai/summary/generate`, { scope: 'all' });
    await tenant.settled(id);
    // Last: nothing of the tests listens where this key would be used.
    await tenant.ok('PUT', '/provider-keys/openai', { api_key: 'sk-tenant-key-0001' });
  }

  function count(table: string, where = 'true'): Promise<number> {
    return client
      .query<{ rows: number }>(`SELECT count(*)::int AS rows FROM "${table}" WHERE ${where}`)
      .then(({ rows }) => rows[0]!.rows);
  }

  /** The code of the error that a statement ends in; undefined where it works. */
  async function codeOf(sql: string, tenantId?: string): Promise<string | undefined> {
    const run = () => client.query(sql);
    return (tenantId === undefined ? run() : asTenant(client, tenantId, run)).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    );
  }

  async function snapshot(): Promise<string[]> {
    const rows = await Promise.all(
      tables.map((table) => stage.database.sql(`SELECT md5(t::text) AS row FROM "${table}" t ORDER BY 1`)),
    );
    return rows.map((each, index) => `${tables[index]}: ${JSON.stringify(each)}`);
  }

  it('are many: the tables of the test are really in use', async () => {
    const used: string[] = [];
    for (const table of tables) {
      const [row] = await stage.database.sql<{ tenants: number }>(
        `SELECT count(DISTINCT tenant_id)::int AS tenants FROM "${table}" WHERE tenant_id = ANY ($1)`,
        [[api.tenantId, other.tenantId]],
      );
      if (row?.tenants === 2) used.push(table);
    }
    expect(used).toEqual(
      expect.arrayContaining([
        ...[
          'ai_audit_log',
          'ai_budget_limits',
          'ai_budgets',
          'ai_events',
          'ai_executions',
          'ai_field_configs',
          'ai_jobs',
        ],
        ...['ai_ledger', 'ai_provider_keys', 'ai_runs', 'ai_values'],
        ...['pipeline_fields', 'pipelines', 'records', 'tenants', 'users'],
      ]),
    );
  });

  it('are invisible and out of reach where no tenant is set', async () => {
    const before = await snapshot();
    for (const table of tables) {
      expect([table, await count(table)]).toEqual([table, 0]);
      const insert = `INSERT INTO "${table}" (tenant_id) VALUES ('${api.tenantId}')`;
      expect([table, await codeOf(insert)]).toEqual([table, REFUSED]);
      const nobody = `INSERT INTO "${table}" (tenant_id) VALUES ('')`;
      expect([table, await codeOf(nobody)]).toEqual([table, REFUSED]);
      expect([undefined, REFUSED]).toContain(await codeOf(`UPDATE "${table}" SET tenant_id = 'x'`));
      expect([undefined, REFUSED]).toContain(await codeOf(`DELETE FROM "${table}"`));
      expect([table, await codeOf(`TRUNCATE "${table}" CASCADE`)]).toEqual([table, REFUSED]);
    }
    expect(await snapshot()).toEqual(before);
  });

  it('are those of the tenant that is set and of no other', async () => {
    const before = await snapshot();
    for (const table of tables) {
      await asTenant(client, other.tenantId, async () => {
        expect([table, await count(table, `tenant_id <> '${other.tenantId}'`)]).toEqual([table, 0]);
        await client.query('ROLLBACK; BEGIN');
      });
      const insert = `INSERT INTO "${table}" (tenant_id) VALUES ('${api.tenantId}')`;
      expect([table, await codeOf(insert, other.tenantId)]).toEqual([table, REFUSED]);
      const mine = `WHERE tenant_id = '${api.tenantId}'`;
      expect([undefined, REFUSED]).toContain(
        await codeOf(`UPDATE "${table}" SET tenant_id = tenant_id ${mine}`, other.tenantId),
      );
      expect([undefined, REFUSED]).toContain(await codeOf(`DELETE FROM "${table}" ${mine}`, other.tenantId));
    }
    expect(await snapshot()).toEqual(before);
  });

  it('cannot be given away', async () => {
    const give = `UPDATE records SET tenant_id = '${other.tenantId}'`;
    expect(await codeOf(give, api.tenantId)).toBe(REFUSED);
  });

  it('are not to be had through partitions or the list of migrations', async () => {
    const partitions = await stage.database.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    expect(partitions.length).toBeGreaterThan(1);
    for (const name of [...partitions.map((row) => row.name), ...NOT_TENANTS]) {
      expect([name, await codeOf(`SELECT FROM "${name}"`, api.tenantId)]).toEqual([name, REFUSED]);
      expect([name, await codeOf(`DELETE FROM "${name}"`, api.tenantId)]).toEqual([name, REFUSED]);
    }
  });
});
