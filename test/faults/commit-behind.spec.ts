import { DataSource } from 'typeorm';
import {
  afterCommit,
  commitBehind,
  connectionExtras,
  enableAfterCommit,
  TenantTransactions,
} from '#libs/tenants';
import { createDatabase, type TestDatabase } from '../support/database.js';

const SET = `UPDATE ai_budget_limits SET limit_nano = $1 WHERE tenant_id = 'acme' RETURNING limit_nano`;

describe('a commit that is sent behind the last statement', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let tenants: TenantTransactions;

  beforeAll(async () => {
    database = await createDatabase();
    // One connection: what one transaction leaves behind is met by the next.
    const extra = connectionExtras({ poolSize: 1 });
    dataSource = new DataSource({ type: 'postgres', url: database.url, extra });
    await dataSource.initialize();
    enableAfterCommit(dataSource);
    tenants = new TenantTransactions(dataSource);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  beforeEach(async () => {
    await database.sql('DELETE FROM ai_budget_limits');
    await database.sql(
      `INSERT INTO ai_budget_limits (tenant_id, scope, scope_id, limit_nano) VALUES ('acme', 'user', 'ann', 0)`,
    );
  });

  const limit = async () =>
    Number(
      (await database.sql<{ limit_nano: string }>('SELECT limit_nano FROM ai_budget_limits'))[0]?.limit_nano,
    );

  /** Sets the limit, and another one last. @returns what its hooks told. */
  async function setLast(value: number | string): Promise<{ told: string[]; error?: unknown }> {
    const told: string[] = [];
    try {
      await tenants.transaction('acme', async (em) => {
        afterCommit(em, 'first', () => told.push('first'));
        await em.query(SET, [1]);
        const last = em.query(SET, [value]);
        commitBehind(em);
        await last;
        afterCommit(em, 'last', () => told.push('last'));
      });
      return { told };
    } catch (error) {
      return { told, error };
    }
  }

  it('commits it, and runs the hooks that were left before and after', async () => {
    expect(await setLast(7)).toEqual({ told: ['first', 'last'] });
    expect(await limit()).toBe(7);
  });

  it('leaves nothing where that statement fails, and a connection that can be used', async () => {
    expect(await setLast('no number')).toMatchObject({ told: [], error: { code: '22P02' } });
    expect(await limit()).toBe(0);
    expect(await setLast(8)).toEqual({ told: ['first', 'last'] });
    expect(await limit()).toBe(8);
  });

  it('leaves nothing where the commit itself fails', async () => {
    await database.sql(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$`,
    );
    await database.sql(
      `CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON ai_budget_limits DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    expect(await setLast(9)).toMatchObject({ told: [], error: { message: 'not today' } });
    await database.sql('DROP TRIGGER refuse ON ai_budget_limits');
    expect(await limit()).toBe(0);
  });
});
