import { AppConnections, asTenant } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import {
  applySettlements,
  newCall,
  placeHold,
  setLimits,
  settle,
  type TestCall,
} from '../support/money-functions.js';

interface Entry {
  entry: string;
  cost_nano: string | null;
  hold_nano: string;
}

interface Figures {
  scope: string;
  held: string;
  spent: string;
  unconfirmed: string;
}

describe('a call is settled once', () => {
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

  const entries = (call: TestCall) =>
    database.sql<Entry>(
      'SELECT entry, cost_nano, hold_nano FROM ai_ledger WHERE job_id = $1 ORDER BY settled_at',
      [call.jobId],
    );
  const figures = (tenantId: string) =>
    database.sql<Figures>(
      'SELECT scope, held, spent, unconfirmed FROM ai_budgets WHERE tenant_id = $1 ORDER BY scope',
      [tenantId],
    );
  const hold = async (tenantId: string) => {
    const call = newCall();
    const verdict = await placeHold(connections.first, tenantId, call, {
      amount: 100,
      user: 'ann',
      field: 'f',
    });
    expect(verdict).toBe('held');
    return call;
  };
  const allScopes = (held: number, spent: number, unconfirmed: number) =>
    ['field', 'tenant', 'user'].map((scope) => ({
      scope,
      held: String(held),
      spent: String(spent),
      unconfirmed: String(unconfirmed),
    }));

  it.each([false, true])(
    'however often and from however many places (applied between: %s)',
    async (applied) => {
      const tenantId = `once-${applied}`;
      const call = await hold(tenantId);
      expect(await figures(tenantId)).toEqual(allScopes(100, 0, 0));
      const settleEverywhere = () =>
        Promise.all(
          connections.clients.map((client) => settle(client, tenantId, call, { state: 'settled', cost: 40 })),
        );
      await settleEverywhere();
      if (applied) await applySettlements(connections.first, tenantId);
      await settleEverywhere();
      await settle(connections.first, tenantId, call, { state: 'released' });
      await settle(connections.first, tenantId, call, { state: 'unconfirmed' });
      await Promise.all(connections.clients.map((client) => applySettlements(client, tenantId)));
      expect(await entries(call)).toEqual([{ entry: 'settled', cost_nano: '40', hold_nano: '100' }]);
      expect(await figures(tenantId)).toEqual(allScopes(0, 40, 0));
    },
  );

  it('a released call gives its hold back and costs nothing', async () => {
    const call = await hold('released');
    await settle(connections.first, 'released', call, { state: 'released', outcome: 'provider_server' });
    await applySettlements(connections.first, 'released');
    expect(await entries(call)).toEqual([{ entry: 'released', cost_nano: '0', hold_nano: '100' }]);
    expect(await figures('released')).toEqual(allScopes(0, 0, 0));
  });

  it.each([false, true])(
    'a late answer corrects an unconfirmed call (applied between: %s)',
    async (applied) => {
      const tenantId = `late-${applied}`;
      const call = await hold(tenantId);
      await settle(connections.first, tenantId, call, { state: 'unconfirmed', outcome: 'worker_lost' });
      if (applied) {
        await applySettlements(connections.first, tenantId);
        expect(await figures(tenantId)).toEqual(allScopes(0, 100, 100));
      }
      await Promise.all(
        connections.clients.map((client) => settle(client, tenantId, call, { state: 'settled', cost: 30 })),
      );
      await applySettlements(connections.first, tenantId);
      expect(await entries(call)).toEqual([
        { entry: 'unconfirmed', cost_nano: '100', hold_nano: '100' },
        { entry: 'unconfirmed_released', cost_nano: '-100', hold_nano: '100' },
        { entry: 'settled', cost_nano: '30', hold_nano: '100' },
      ]);
      expect(await figures(tenantId)).toEqual(allScopes(0, 30, 0));
    },
  );

  it('a settlement above its hold stops the model for that tenant only', async () => {
    const call = await hold('above');
    await settle(connections.first, 'above', call, { state: 'settled', cost: 101 });
    const again = { amount: 1 };
    expect(await placeHold(connections.first, 'above', newCall(), again)).toBe('model_stopped');
    expect(await placeHold(connections.first, 'above', newCall(), { ...again, model: 'other' })).toBe('held');
    expect(await placeHold(connections.first, 'beside', newCall(), again)).toBe('held');
    expect(await entries(call)).toEqual([{ entry: 'settled', cost_nano: '101', hold_nano: '100' }]);
  });

  it('tells what stands in the way of a hold, and takes nothing where one scope refuses', async () => {
    const { first } = connections;
    await setLimits(first, 'ways', [
      ['tenant', 'self', 1000],
      ['user', 'ann', 100],
    ]);
    const call = newCall();
    const asAnn = { amount: 80, user: 'ann', field: 'f' };
    expect(await placeHold(first, 'ways', call, asAnn)).toBe('held');
    expect(await placeHold(first, 'ways', newCall(), asAnn)).toBe('wait');
    expect(await placeHold(first, 'ways', newCall(), { ...asAnn, amount: 101 })).toBe('exceeded:user');
    expect(await placeHold(first, 'ways', newCall(), { amount: 1001, field: 'f' })).toBe('exceeded:tenant');
    expect(await placeHold(first, 'ways', newCall(), { amount: null })).toBe('unpriced');
    expect(await placeHold(first, 'free', newCall(), { amount: null })).toBe('held');
    expect(await figures('ways')).toEqual(allScopes(80, 0, 0));
    await settle(first, 'ways', call, { state: 'settled', cost: 30 });
    await applySettlements(first, 'ways');
    expect(await placeHold(first, 'ways', newCall(), asAnn)).toBe('exceeded:user');
    expect(await placeHold(first, 'ways', newCall(), { ...asAnn, amount: 70 })).toBe('held');
  });

  it('shows a tenant nothing of another and lets it change nothing there', async () => {
    const call = await hold('mine');
    await settle(connections.first, 'theirs', call, { state: 'settled', cost: 1 });
    expect(await entries(call)).toEqual([]);
    const seen = await asTenant(connections.first, 'theirs', async () => {
      const { rows } = await connections.first.query('SELECT FROM ai_holds UNION ALL SELECT FROM ai_ledger');
      return rows.length;
    });
    expect(seen).toBe(0);
  });
});
