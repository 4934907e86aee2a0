import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, ledgerEntries, settledSpent } from '../support/money.js';
import { watchForOverspending } from '../support/overspend-watch.js';
import { setStage, type Stage } from '../support/stage.js';

const LEADS = 32;
const NAMES = Array.from({ length: LEADS }, (_, n) => `Lead${n + 100}`);
const MAX_TOKENS = 20;

describe('a budget runs out', () => {
  let stage: Stage;
  let overspent: () => Promise<object[]>;
  let api: Api;
  let leads: Leads;
  /** Nano-USD that every call of these leads is held for: their names are of one length. */
  let hold: number;

  beforeAll(async () => {
    stage = await setStage();
    overspent = await watchForOverspending(stage.database);
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    hold = await measureHold();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api, { max_tokens: MAX_TOKENS });
  });

  afterEach(async () => expect(await overspent()).toEqual([]));

  async function measureHold(): Promise<number> {
    const measuring = await stage.tenant();
    await (await Leads.of(measuring, { max_tokens: MAX_TOKENS })).addDone(NAMES[0]!);
    const [row] = await ledgerEntries(stage.database, measuring.tenantId);
    return Number(row!.hold_nano);
  }

  const limitTenant = (nano: number) => api.patch('/ai-settings', { monthly_budget_cents: cents(nano) });

  it('is used up to within one hold, never above, by first calls that all come at once', async () => {
    const limit = Math.floor(hold * 4.5);
    await limitTenant(limit);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const added = await leads.addMany(NAMES);
    await stage.simulator.waitForRequests(4);
    expect(await budgetOf(api)).toMatchObject({
      limit_cents: cents(limit),
      held_cents: cents(4 * hold),
      spent_cents: 0,
    });
    await api.until('all others wait for the budget', async () => {
      const { items } = await api.get('/ai-jobs?status=pending&limit=200');
      return items.filter((job: Body) => job.wait_reason === 'budget').length >= LEADS - 16;
    });
    expect(stage.simulator.held).toBe(4);

    const jobs: Body[] = [];
    for (const { jobId } of added) jobs.push(await endOf(jobId));
    const spent = await settledSpent(api, stage.database);
    expect(spent).toBe(billed(stage.simulator.requests()));
    expect(Number(spent)).toBeLessThanOrEqual(limit);
    expect(Number(spent)).toBeGreaterThan(limit - hold);
    expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(spent), held_cents: 0 });
    const done = jobs.filter(({ status }) => status === 'completed');
    expect(done).toHaveLength(stage.simulator.requests().length);
    expect(done.length).toBeGreaterThan(4);
    for (const job of jobs.filter((other) => !done.includes(other))) {
      expect(job).toMatchObject({ status: 'failed', error_code: 'budget_exceeded', executions: [] });
      expect(await leads.valueOf(job.record_id)).toMatchObject({
        state: 'blocked',
        error: { code: 'budget_exceeded' },
      });
    }
    expect(jobs.map(({ retry_count: retries }) => retries)).toEqual(jobs.map(() => 0));

    stage.simulator.clearScript();
    await limitTenant(hold * LEADS * 2);
    const retried = await api.post('/ai-jobs/bulk_retry', { filter: { error_code: 'budget_exceeded' } });
    expect(retried).toEqual({ retried: LEADS - done.length, skipped: [] });
    for (const { jobId } of added) expect(await api.job(jobId)).toMatchObject({ status: 'completed' });
    expect(await settledSpent(api, stage.database)).toBe(billed(stage.simulator.requests()));
  });

  /** The end of a job, while held calls are let go one by one. */
  const endOf = (jobId: string): Promise<Body> =>
    api.until(`job ${jobId} has ended`, async () => {
      stage.simulator.release(1);
      const job = await api.get(`/ai-jobs/${jobId}`);
      return !['pending', 'processing'].includes(job.status) && job;
    });

  it('what was spent before a limit was set counts', async () => {
    await leads.addDone(NAMES[0]!);
    const spent = Number(await settledSpent(api, stage.database));
    expect(spent).toBeGreaterThan(0);
    const view = await api.ok('PUT', '/budgets/tenant/self', { limit_cents: cents(spent + hold - 1) });
    expect(view).toMatchObject({
      scope: 'tenant',
      spent_cents: cents(spent),
      remaining_cents: cents(hold - 1),
    });
    expect(await leads.addDone(NAMES[1]!)).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    await api.ok('PUT', '/budgets/tenant/self', { limit_cents: cents(spent + hold) });
    expect(await leads.addDone(NAMES[2]!)).toMatchObject({ status: 'completed' });
    expect((await api.get('/ai-settings')).monthly_budget_cents).toBe(cents(spent + hold));
    await api.ok('DELETE', '/budgets/tenant/self');
    expect(await budgetOf(api)).toMatchObject({ limit_cents: null, remaining_cents: null });
    expect(await leads.addDone(NAMES[3]!)).toMatchObject({ status: 'completed' });
  });

  it('of a field stops that field only', async () => {
    const poor = await Leads.of(api, { max_tokens: MAX_TOKENS, budget_limit_cents: cents(hold - 1) });
    const refused = await poor.addDone(NAMES[0]!);
    expect(refused).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(refused.error_message).toContain('field budget');
    expect(await leads.addDone(NAMES[0]!)).toMatchObject({ status: 'completed' });
    expect(await budgetOf(api, 'field', poor.budgetId)).toMatchObject({
      limit_cents: cents(hold - 1),
      spent_cents: 0,
      remaining_cents: cents(hold - 1),
    });
    await api.ok('PUT', `/budgets/field/${poor.budgetId}`, { limit_cents: cents(hold) });
    expect(await api.post(`/ai-jobs/${refused.id}/retry`)).toMatchObject({ id: refused.id });
    expect(await api.job(refused.id)).toMatchObject({ status: 'completed' });
  });

  it('of a user stops that user only', async () => {
    const editor = await api.as('editor');
    await api.ok('PUT', `/budgets/user/${editor.userId}`, { limit_cents: cents(hold - 1) });
    const refused = await api.job((await leads.add(NAMES[0]!, editor)).jobId);
    expect(refused).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(refused.error_message).toContain('user budget');
    expect(await leads.addDone(NAMES[1]!)).toMatchObject({ status: 'completed' });
    await api.ok('DELETE', `/budgets/user/${editor.userId}`);
    expect(await api.job((await leads.add(NAMES[2]!, editor)).jobId)).toMatchObject({ status: 'completed' });
    const spent = await budgetOf(api, 'user', editor.userId);
    expect(spent.spent_cents).toBeGreaterThan(0);
    expect(spent.limit_cents).toBeNull();
  });

  it('refuses a limit that is none, and a scope that is none', async () => {
    for (const [path, body] of [
      ['tenant/self', { limit_cents: -1 }],
      ['tenant/self', { limit_cents: 0.123456789 }],
      ['tenant/other', { limit_cents: 1 }],
      ['field/nonsense', { limit_cents: 1 }],
      ['team/x', { limit_cents: 1 }],
      ['tenant/self', {}],
    ] as const)
      expect([path, (await api.call('PUT', `/budgets/${path}`, body)).status]).toEqual([path, 422]);
    const editor = await api.as('editor');
    expect((await editor.call('GET', '/budgets')).status).toBe(403);
    expect((await editor.call('PUT', '/budgets/tenant/self', { limit_cents: 1 })).status).toBe(403);
  });
});
