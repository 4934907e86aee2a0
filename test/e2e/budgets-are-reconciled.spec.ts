import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { logLines } from '../support/log-lines.js';
import { runJob, scheduleHasBegun } from '../support/maintenance.js';
import { scrape, sum } from '../support/metrics.js';
import { setStage, type Stage } from '../support/stage.js';

describe('reconcile_holds', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage({ AI_MAX_RETRIES: '0' });
    api = await stage.tenant();
    await api.patch('/ai-settings', { monthly_budget_cents: 500 });
    await scheduleHasBegun(stage.database, api);
    leads = await Leads.of(api);
    await leads.addDone('Ada');
  });

  afterAll(() => stage.close());

  beforeEach(() => stage.simulator.clearScript());

  const budgets = () =>
    stage.database.sql<{ scope: string; held: string; spent: string }>(
      'SELECT scope, held, spent FROM ai_budgets WHERE tenant_id = $1 ORDER BY scope',
      [api.tenantId],
    );

  it('finds nothing where everything adds up, with calls in flight and calls that nobody knows of', async () => {
    stage.simulator.script([
      { match: { prompt_includes: 'Grace' }, action: { type: 'hold' } },
      { match: { prompt_includes: 'Mary' }, times: 1, action: { type: 'cut' } },
    ]);
    await leads.add('Mary');
    const { jobId } = await leads.add('Grace');
    await stage.simulator.waitForRequests(3);
    await api.until('the cut call is unconfirmed', async () => {
      const sql = `SELECT FROM ai_ledger WHERE tenant_id = $1 AND entry = 'unconfirmed'`;
      return (await stage.database.sql(sql, [api.tenantId])).length > 0;
    });
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0, repaired: 0 });
    expect(Number((await budgets()).find(({ scope }) => scope === 'tenant')!.held)).toBeGreaterThan(0);
    stage.simulator.release();
    await api.job(jobId);
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0, repaired: 0 });
  });

  it('sets held sums right that nothing holds, tells of all drift, and leaves what was spent to people', async () => {
    await api.until('nothing is held', async () => (await budgets()).every(({ held }) => held === '0'));
    const before = await budgets();
    const events = await api.events();
    await stage.database.sql(
      `UPDATE ai_budgets SET held = held + 700, spent = spent + CASE scope WHEN 'tenant' THEN 9 ELSE 0 END WHERE tenant_id = $1`,
      [api.tenantId],
    );
    const drifts = before.length + 1;
    await stage.database.sql(`UPDATE ai_maintenance SET next_run = now() WHERE name = 'reconcile_holds'`);
    const told = () =>
      logLines(stage.product.output()).filter(({ message }) => message === 'a budget does not add up');
    await api.until('the schedule has found it', async () => told().length >= drifts);
    expect(told()).toHaveLength(drifts);
    expect(told()).toContainEqual(
      expect.objectContaining({ level: 'error', tenant_id: api.tenantId, scope: 'tenant', sum: 'spent' }),
    );
    await api.until('it is mended', async () => (await budgets()).every(({ held }) => held === '0'));
    const spent = before.map((row) =>
      row.scope === 'tenant' ? { ...row, spent: String(BigInt(row.spent) + 9n) } : row,
    );
    expect(await budgets()).toEqual(spent);
    await api.until('the event is there', () =>
      Promise.resolve(events.events.some(({ type }) => type === 'budget.drift')),
    );
    events.close();
    const metrics = await scrape(stage.product.url);
    expect(sum(metrics, 'fieldsmith_budget_drifts_total', { sum: 'held' })).toBe(before.length);
    expect(sum(metrics, 'fieldsmith_budget_drifts_total', { sum: 'spent' })).toBe(1);
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 1, repaired: 0 });
  });

  it('sets a held sum right that is too low, without touching what is in flight', async () => {
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const { jobId } = await leads.add('Hedy');
    await api.until('it is held', async () => (await budgets()).every(({ held }) => held !== '0'));
    const held = (await budgets()).map((row) => row.held);
    await stage.database.sql(`UPDATE ai_budgets SET held = held - 1 WHERE tenant_id = $1`, [api.tenantId]);
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ repaired: held.length });
    expect((await budgets()).map((row) => row.held)).toEqual(held);
    stage.simulator.release();
    await api.job(jobId);
    await api.until('nothing is held', async () => (await budgets()).every((row) => row.held === '0'));
  });
});
