import { DataSource, type EntityManager } from 'typeorm';
import { connectionExtras, TenantTransactions } from '#libs/tenants';
import { createDatabase, type TestDatabase } from '../support/database.js';

const ADD = `UPDATE ai_budget_limits SET limit_nano = limit_nano + 1 WHERE tenant_id = 'acme' AND scope_id = $1`;
const MAX_TRIES = 4;

describe('a transaction that the database gave up', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let tenants: TenantTransactions;

  beforeAll(async () => {
    database = await createDatabase();
    dataSource = new DataSource({ type: 'postgres', url: database.url, extra: connectionExtras() });
    await dataSource.initialize();
    tenants = new TenantTransactions(dataSource);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  beforeEach(async () => {
    await database.sql('DELETE FROM ai_budget_limits');
    await database.sql(
      `INSERT INTO ai_budget_limits (tenant_id, scope, scope_id, limit_nano) VALUES ('acme', 'user', 'ann', 0), ('acme', 'user', 'bob', 0)`,
    );
  });

  const limits = async () =>
    (
      await database.sql<{ limit_nano: string }>('SELECT limit_nano FROM ai_budget_limits ORDER BY scope_id')
    ).map(({ limit_nano: nano }) => Number(nano));

  it('in a deadlock of two is done again, and both are there as if one had waited', async () => {
    const tries: Record<string, number> = { ann: 0, bob: 0 };
    let bothHoldOne = (): void => undefined;
    const meeting = new Promise<void>((resolve) => (bothHoldOne = resolve));
    const holding = new Set<string>();
    const change = (first: string, second: string) =>
      tenants.transaction('acme', async (em) => {
        tries[first]! += 1;
        await em.query(ADD, [first]);
        holding.add(first);
        if (holding.size === 2) bothHoldOne();
        await meeting;
        await em.query(ADD, [second]);
        return first;
      });
    expect(await Promise.all([change('ann', 'bob'), change('bob', 'ann')])).toEqual(['ann', 'bob']);
    expect(Object.values(tries).sort()).toEqual([1, 2]);
    expect(await limits()).toEqual([2, 2]);
  });

  /** Adds and then fails as told. @returns how often it was tried, and what it failed with. */
  async function fail(raise: (em: EntityManager) => Promise<unknown>): Promise<[number, unknown]> {
    let tries = 0;
    const failed = tenants.transaction('acme', async (em) => {
      tries += 1;
      await em.query(ADD, ['ann']);
      await raise(em);
    });
    const error = await failed.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    return [tries, error];
  }

  it('is given up after some tries, with nothing left of it', async () => {
    const [tries, error] = await fail((em) => em.query(`DO $$ BEGIN RAISE deadlock_detected; END $$`));
    expect(tries).toBe(MAX_TRIES);
    expect(error).toMatchObject({ code: '40P01' });
    expect(await limits()).toEqual([0, 0]);
  });

  it('is not done again for an error that would come again', async () => {
    const [tries, error] = await fail((em) => em.query('SELECT 1 / 0'));
    expect(tries).toBe(1);
    expect(error).toMatchObject({ code: '22012' });
    const [other, thrown] = await fail(() => Promise.reject(new Error('mine')));
    expect(other).toBe(1);
    expect(thrown).toMatchObject({ message: 'mine' });
    expect(await limits()).toEqual([0, 0]);
  });
});
