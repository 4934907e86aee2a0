import type { Api, Body } from '../support/api.js';
import { AppConnections } from '../support/app-connections.js';
import { Leads } from '../support/leads.js';
import {
  applySettlements,
  newCall,
  placeHold,
  setLimits,
  settle,
  type TestCall,
} from '../support/money-functions.js';
import { budgetOf, cents, ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const LIMIT = 1_000;
const COST = 900;

describe('a call that was held in the last second of a month and ends in the next', () => {
  let stage: Stage;
  let api: Api;
  let connections: AppConnections;
  let call: TestCall;
  let lastMonth: string;
  let thisMonth: string;

  beforeAll(async () => {
    // The sweeper would end the hold that is set back, which has no job.
    stage = await setStage({ AI_SWEEP_INTERVAL_MS: '3600000' });
    connections = await AppConnections.open(stage.database, 1);
    const [now] = await stage.database.sql<{ last: string; this: string }>(
      `SELECT to_char(m - interval '1 month', 'YYYY-MM-DD') AS last, to_char(m, 'YYYY-MM-DD') AS this
         FROM date_trunc('month', now() AT TIME ZONE 'UTC') m`,
    );
    [lastMonth, thisMonth] = [now!.last, now!.this];
  });

  afterAll(async () => {
    await connections.close();
    await stage.close();
  });

  beforeEach(async () => {
    api = await stage.tenant();
    await setLimits(connections.first, api.tenantId, [
      ['tenant', 'self', LIMIT],
      ['user', api.userId, LIMIT],
    ]);
    call = newCall();
    expect(await hold(call)).toBe('held');
    // The clock cannot be set back, so the hold is.
    await stage.database.sql(
      `UPDATE ai_holds SET period = $2, held_at = ($3 || 'T00:00:00Z')::timestamptz - interval '1 second' WHERE job_id = $1`,
      [call.jobId, lastMonth, thisMonth],
    );
    await stage.database.sql('UPDATE ai_budgets SET period = $2 WHERE tenant_id = $1', [
      api.tenantId,
      lastMonth,
    ]);
  });

  const hold = (of: TestCall) =>
    placeHold(connections.first, api.tenantId, of, { amount: LIMIT, user: api.userId });
  const end = async (settlement: Parameters<typeof settle>[3]) => {
    await settle(connections.first, api.tenantId, call, settlement);
    await applySettlements(connections.first, api.tenantId);
  };

  interface Month {
    scope: string;
    period: string;
    held: string;
    spent: string;
    unconfirmed: string;
  }

  const months = () =>
    stage.database.sql<Month>(
      `SELECT scope, to_char(period, 'YYYY-MM-DD') AS period, held, spent, unconfirmed FROM ai_budgets
        WHERE tenant_id = $1 ORDER BY period, scope`,
      [api.tenantId],
    );
  const month = (period: string, held: number, spent: number, unconfirmed = 0) =>
    ['tenant', 'user'].map((scope) => ({
      scope,
      period,
      held: `${held}`,
      spent: `${spent}`,
      unconfirmed: `${unconfirmed}`,
    }));
  const usage = async (from: string, to = ''): Promise<Body> =>
    (await api.get(`/ai-analytics/usage?group_by=day&from=${from}${to && `&to=${to}`}`)).totals;

  it('counts in the month of its hold, in budgets, ledger and reports', async () => {
    await end({ state: 'settled', cost: COST });
    expect(await months()).toEqual(month(lastMonth, 0, COST));
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { entry: 'settled', cost_nano: `${COST}`, hold_nano: `${LIMIT}` },
    ]);
    expect(await usage(lastMonth, thisMonth)).toMatchObject({ requests: 1, cost_usd: COST / 1e9 });
    expect(await usage(thisMonth)).toMatchObject({ requests: 0, cost_usd: 0 });
  });

  it('leaves the new month its whole budget, before and after it ends', async () => {
    const empty = { period: thisMonth.slice(0, 7), limit_cents: cents(LIMIT), spent_cents: 0, held_cents: 0 };
    for (const scope of ['tenant', 'user'])
      expect(await budgetOf(api, scope)).toMatchObject({ ...empty, remaining_cents: cents(LIMIT) });
    const next = newCall();
    expect(await hold(next)).toBe('held');
    expect(await hold(newCall())).toBe('wait');
    await end({ state: 'settled', cost: COST });
    expect(await months()).toEqual([...month(lastMonth, 0, COST), ...month(thisMonth, LIMIT, 0)]);
    call = next;
    await end({ state: 'released' });
    expect(await months()).toEqual([...month(lastMonth, 0, COST), ...month(thisMonth, 0, 0)]);
    expect(await budgetOf(api)).toMatchObject(empty);
  });

  it('is corrected in that month where its outcome comes late', async () => {
    await end({ state: 'unconfirmed', outcome: 'worker_lost' });
    expect(await months()).toEqual(month(lastMonth, 0, LIMIT, LIMIT));
    await end({ state: 'settled', cost: COST });
    expect(await months()).toEqual(month(lastMonth, 0, COST));
    expect(await usage(lastMonth, thisMonth)).toMatchObject({ cost_usd: COST / 1e9 });
    expect(await usage(thisMonth)).toMatchObject({ requests: 0, cost_usd: 0 });
  });

  it('does not keep a job of the new month waiting', async () => {
    await stage.database.sql('UPDATE ai_budget_limits SET limit_nano = 10000000 WHERE tenant_id = $1', [
      api.tenantId,
    ]);
    await stage.database.sql('UPDATE ai_budgets SET held = 10000000, spent = 10000000 WHERE tenant_id = $1', [
      api.tenantId,
    ]);
    expect(await (await Leads.of(api)).addDone('Ada')).toMatchObject({ outcome: 'generated', attempts: 1 });
  });
});
