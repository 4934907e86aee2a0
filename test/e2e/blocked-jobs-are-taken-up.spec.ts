import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { cents, ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const CONFIG = { max_tokens: 20 };

describe('jobs that a budget had blocked', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  /** Nano-USD that every call of these leads is held for. */
  let hold: number;

  beforeAll(async () => {
    stage = await setStage();
    const measuring = await stage.tenant();
    await (await Leads.of(measuring, CONFIG)).addDone('Ada');
    const [row] = await ledgerEntries(stage.database, measuring.tenantId);
    hold = Number(row!.hold_nano);
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api, CONFIG);
  });

  const put = (budget: string, nano: number): Promise<Body> =>
    api.ok('PUT', `/budgets/${budget}`, { limit_cents: cents(nano) });
  const retry = (budget: string): Promise<Body> => api.post(`/budgets/${budget}/retry_blocked`);

  async function refuse(name: string, by = api): Promise<{ recordId: string; jobId: string }> {
    const added = await leads.add(name, by);
    expect(await api.job(added.jobId)).toMatchObject({ error_code: 'budget_exceeded' });
    return added;
  }

  it('are counted when it is raised and run again when asked, the newest of each value', async () => {
    expect(await put('tenant/self', hold - 1)).toMatchObject({ blocked_jobs: 0 });
    const ada = await refuse('Ada');
    const bob = await refuse('Bob');
    const edited = await api.patch(`/records/${ada.recordId}`, { data: { name: 'Adele' } });
    const { job_id: newer } = edited.ai_processing.triggered_jobs[0];
    expect(await api.job(newer)).toMatchObject({ error_code: 'budget_exceeded' });

    expect(await put('tenant/self', hold * 100)).toMatchObject({
      scope: 'tenant',
      limit_cents: cents(hold * 100),
      blocked_jobs: 2,
    });
    expect(await retry('tenant/self')).toEqual({
      retried: 2,
      skipped: [{ id: ada.jobId, reason: 'superseded' }],
    });
    for (const id of [newer, bob.jobId]) expect(await api.job(id)).toMatchObject({ status: 'completed' });
    expect(await leads.valueOf(ada.recordId)).toMatchObject({ state: 'ready' });
    expect((await leads.valueOf(ada.recordId)).value).toContain('Adele');
    expect(await api.get(`/ai-jobs/${ada.jobId}`)).toMatchObject({ status: 'failed' });
    expect(stage.simulator.requests()).toHaveLength(2);
    expect(await put('tenant/self', hold * 100)).toMatchObject({ blocked_jobs: 0 });
    expect(await retry('tenant/self')).toMatchObject({ retried: 0 });
    const { items } = await api.get('/audit-log?subject=Budget&action=retry_blocked');
    expect(items).toEqual([
      expect.objectContaining({
        actor_id: api.userId,
        subject_id: 'tenant/self',
        before: null,
        after: { retried: 2 },
      }),
    ]);
  });

  it('are those of that budget: of a field, of a user, and no others', async () => {
    const editor = await api.as('editor');
    const other = await Leads.of(api, CONFIG);
    await put(`field/${leads.budgetId}`, hold - 1);
    await put(`user/${editor.userId}`, hold - 1);
    const { jobId: mine } = await refuse('Ada');
    const theirs = await other.add('Bob', editor);
    expect((await api.job(theirs.jobId)).error_message).toContain('user budget');

    expect(await put('tenant/self', hold * 100)).toMatchObject({ blocked_jobs: 0 });
    expect(await put(`field/${other.budgetId}`, hold * 100)).toMatchObject({ blocked_jobs: 0 });
    expect(await put(`field/${leads.budgetId}`, hold * 10)).toMatchObject({ blocked_jobs: 1 });
    expect(await put(`user/${editor.userId}`, hold * 10)).toMatchObject({ blocked_jobs: 1 });
    expect(await retry(`field/${leads.budgetId}`)).toEqual({ retried: 1, skipped: [] });
    expect(await api.job(mine)).toMatchObject({ status: 'completed' });
    expect(await api.get(`/ai-jobs/${theirs.jobId}`)).toMatchObject({ status: 'failed' });
    expect(await retry(`user/${editor.userId}`)).toEqual({ retried: 1, skipped: [] });
    expect(await api.job(theirs.jobId)).toMatchObject({ status: 'completed' });
    const refused = await editor.call('POST', '/budgets/tenant/self/retry_blocked');
    expect(refused.status).toBe(403);
    expect((await api.call('POST', '/budgets/team/x/retry_blocked')).status).toBe(422);
  });

  it('wait where only calls in flight fill it, are counted too, and go when they are asked to', async () => {
    await put('tenant/self', hold);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const added = await leads.addMany(['Ada', 'Bob', 'Eva']);
    await api.until('two wait', async () => {
      const { items } = await api.get('/ai-jobs?status=pending');
      return items.filter((job: Body) => job.wait_reason === 'budget').length === 2;
    });
    const { blocked_jobs: blocked } = await put('tenant/self', hold * 100);
    expect(blocked).toBeLessThanOrEqual(2);
    await retry('tenant/self');
    await stage.simulator.waitForRequests(3);
    stage.simulator.release();
    for (const { jobId } of added)
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
  });
});
