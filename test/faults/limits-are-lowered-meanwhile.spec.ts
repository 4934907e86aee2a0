import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import type { AuditLog } from '#libs/access';
import { Budgets, type FieldDefault } from '#libs/accounting';
import { connectionExtras, TenantTransactions } from '#libs/tenants';
import { AppConnections, isBlocked, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { newCall, placeHold, setLimits } from '../support/money-functions.js';

const LIMIT = 1_000;
const AMOUNT = 600;
const LOWER = 500n;

describe('a limit that is lowered while a hold waits for its budget', () => {
  let database: TestDatabase;
  let connections: AppConnections;
  let dataSource: DataSource;
  let tenants: TenantTransactions;
  let tenantId: string;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, 2);
    dataSource = new DataSource({ type: 'postgres', url: database.url, extra: connectionExtras() });
    await dataSource.initialize();
    tenants = new TenantTransactions(dataSource);
  });

  afterAll(async () => {
    await connections.close();
    await dataSource.destroy();
    await database.drop();
  });

  beforeEach(async () => {
    tenantId = randomUUID();
    await setLimits(connections.first, tenantId, [['tenant', 'self', LIMIT]]);
    // The budget's row of this month.
    expect(await placeHold(connections.first, tenantId, newCall(), { amount: 0 })).toBe('held');
  });

  function budgets(beforeCommit: () => Promise<void>): Budgets {
    const audit = { watch: (_em: unknown, _who: unknown, _what: unknown, change: () => unknown) => change() };
    return new Budgets(
      audit as unknown as AuditLog,
      { limitChanged: beforeCommit } as unknown as ConstructorParameters<typeof Budgets>[1],
      {} as FieldDefault,
    );
  }

  const admin = () => ({ tenantId, id: 'ann', name: 'Ann', roles: ['admin'] });

  /** @param beforeCommit of the change, when it has done all it does. */
  function lower(beforeCommit: () => Promise<void>): Promise<void> {
    return tenants.transaction(tenantId, (em) =>
      budgets(beforeCommit).setLimit(em, admin(), 'tenant', 'self', LOWER),
    );
  }

  const place = () => placeHold(connections.first, tenantId, newCall(), { amount: AMOUNT });

  it('does not commit before the hold, or is kept by it', async () => {
    const other = connections.clients[1]!;
    await other.query('BEGIN');
    await other.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    await row(other, 'SELECT FROM ai_budgets WHERE tenant_id = $1 FOR UPDATE', [tenantId]);
    const placing = place();
    expect(await isBlocked(database, connections.first, placing)).toBe(true);

    let isLowered = false;
    const lowering = lower(async () => {}).then(() => (isLowered = true));
    const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while (!isLowered && (await database.sql(waits)).length < 2);
    const wasLowered = isLowered;
    await other.query('COMMIT');
    expect(await placing).toBe(wasLowered ? 'exceeded:tenant' : 'held');
    await lowering;
  });

  it('is kept by a hold that waits for the change', async () => {
    let changed = (): void => undefined;
    let commit = (): void => undefined;
    const isChanged = new Promise<void>((resolve) => (changed = resolve));
    const mayCommit = new Promise<void>((resolve) => (commit = resolve));
    const lowering = lower(() => {
      changed();
      return mayCommit;
    });
    await isChanged;
    const placing = place();
    expect(await isBlocked(database, connections.first, placing)).toBe(true);
    commit();
    await lowering;
    expect(await placing).toBe('exceeded:tenant');
    expect(
      await database.sql('SELECT held, limit_nano FROM ai_budgets WHERE tenant_id = $1', [tenantId]),
    ).toEqual([{ held: '0', limit_nano: String(LOWER) }]);
  });

  it('stands no more once it is removed, though the first hold of a month was being placed under it', async () => {
    await database.sql('DELETE FROM ai_budgets WHERE tenant_id = $1', [tenantId]);
    const other = connections.clients[1]!;
    await other.query('BEGIN');
    expect(await placeHold(other, tenantId, newCall(), { amount: AMOUNT })).toBe('held');
    let isRemoved = false;
    const removing = tenants
      .transaction(tenantId, (em) => budgets(async () => {}).removeLimit(em, admin(), 'tenant', 'self'))
      .then(() => (isRemoved = true));
    const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while (!isRemoved && (await database.sql(waits)).length < 1);
    await other.query('COMMIT');
    await removing;
    expect(await placeHold(connections.first, tenantId, newCall(), { amount: 5 * LIMIT })).toBe('held');
  });

  it('is taken back by one that is raised, as soon as that is there', async () => {
    await lower(async () => {});
    expect(await place()).toBe('exceeded:tenant');
    await database.sql(
      `UPDATE ai_budget_limits SET limit_nano = 1000, updated_at = clock_timestamp() WHERE tenant_id = $1`,
      [tenantId],
    );
    expect(await place()).toBe('held');
  });
});
