import type pg from 'pg';
import { AppConnections, isBlocked, row } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { newCall, placeHold, setLimits, settle } from '../support/money-functions.js';

const CONNECTIONS = 16;
const CALLS = 10;
const COST = 100;

const APPLY = 'SELECT moved, alerts FROM ai_move_settlements($1, 500, NULL)';
const REFUSED = `SELECT ai_raise_budget_alerts($1, NULL, ARRAY['tenant'], ARRAY['self'], 1000000) AS alerts`;

interface Alert {
  scope: string;
  threshold: number;
}

describe('an alert is raised once', () => {
  let database: TestDatabase;
  let connections: AppConnections;

  beforeAll(async () => {
    database = await createDatabase();
    connections = await AppConnections.open(database, CONNECTIONS);
  });

  afterAll(async () => {
    await connections.close();
    await database.drop();
  });

  const told = async (tenantId: string) =>
    (
      await database.sql<Alert>(
        `SELECT payload->>'scope' AS scope, (payload->>'threshold')::int AS threshold FROM ai_events
          WHERE tenant_id = $1 AND type = 'budget.alert' ORDER BY 1, 2`,
        [tenantId],
      )
    ).map(({ scope, threshold }) => `${scope} ${threshold}`);
  const alertsOf = ({ alerts }: { alerts: Alert[] | null }) => alerts ?? [];

  async function spend(client: pg.Client, tenantId: string): Promise<void> {
    const call = newCall();
    const asked = { amount: COST, user: 'ann', field: 'summary' };
    expect(await placeHold(client, tenantId, call, asked)).toBe('held');
    await settle(client, tenantId, call, { state: 'settled', cost: COST });
  }

  const limitOf = (tenantId: string, calls: number) =>
    setLimits(connections.first, tenantId, [
      ['tenant', 'self', calls * COST],
      ['field', 'p:summary', calls * COST],
    ]);

  it('where many processes apply settlements and are refused at once, and one in three dies before its commit', async () => {
    await limitOf('crowd', CALLS);
    const lines: string[] = [];
    await Promise.all(
      connections.clients.slice(0, CALLS).map(async (client, n) => {
        await spend(client, 'crowd');
        for (let again = 0; again < 4; again++) {
          const dies = (n + again) % 3 === 0;
          if (dies) await client.query('BEGIN');
          const alerts = [
            ...alertsOf(await row(client, APPLY, ['crowd'])),
            ...alertsOf(await row(client, REFUSED, ['crowd'])),
          ];
          if (dies) await client.query('ROLLBACK');
          else lines.push(...alerts.map(({ scope, threshold }) => `${scope} ${threshold}`));
        }
      }),
    );
    lines.push(
      ...alertsOf(await row(connections.first, APPLY, ['crowd'])).map((a) => `${a.scope} ${a.threshold}`),
    );
    const all = ['field 100', 'field 50', 'field 80', 'tenant 100', 'tenant 50', 'tenant 80'];
    expect((await told('crowd')).sort()).toEqual(all);
    expect(lines.sort()).toEqual(all);
  });

  it('where its process dies: whoever applies the settlements then raises it', async () => {
    await limitOf('heir', 1);
    await spend(connections.first, 'heir');
    const doomed = connections.clients[1]!;
    await doomed.query('BEGIN');
    expect(alertsOf(await row(doomed, APPLY, ['heir']))).toHaveLength(6);
    await doomed.query('ROLLBACK');
    expect(await told('heir')).toEqual([]);
    expect(alertsOf(await row(connections.first, APPLY, ['heir']))).toHaveLength(6);
    expect(alertsOf(await row(connections.first, APPLY, ['heir']))).toEqual([]);
    expect(await told('heir')).toHaveLength(6);
  });

  it('of the limit as it is: one that is being raised is waited for', async () => {
    await setLimits(connections.first, 'patient', [['tenant', 'self', 2 * COST]]);
    await spend(connections.first, 'patient');
    const [admin, settler] = [connections.clients[2]!, connections.clients[3]!];
    await admin.query('BEGIN');
    await admin.query(`SELECT set_config('app.tenant_id', 'patient', true)`);
    await admin.query(`UPDATE ai_budget_limits SET limit_nano = $1 WHERE tenant_id = 'patient'`, [4 * COST]);
    const applying = row<{ alerts: Alert[] | null }>(settler, APPLY, ['patient']);
    expect(await isBlocked(database, settler, applying)).toBe(true);
    await admin.query('COMMIT');
    expect(alertsOf(await applying)).toEqual([]);
    await spend(connections.first, 'patient');
    expect(alertsOf(await row(connections.first, APPLY, ['patient']))).toMatchObject([{ threshold: 50 }]);
  });
});
