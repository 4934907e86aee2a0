import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { budgetOf, ledgerEntries } from '../support/money.js';
import { addPipeline, ai, configure, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** A model that no price list has. */
const UNPRICED = { model: 'gpt-4o-unheard-of', provider: 'openai' };

describe('unknown prices', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  const limitTenant = (limit: number | null) => api.patch('/ai-settings', { monthly_budget_cents: limit });

  it('run where no budget applies, with a cost that nobody knows', async () => {
    const leads = await Leads.of(api, UNPRICED);
    const { recordId, jobId } = await leads.add('Ada');
    const job = await api.job(jobId);
    expect(job).toMatchObject({ status: 'completed', outcome: 'generated' });
    expect(job.tokens_used).toBeGreaterThan(0);
    expect(job.executions[0]).toMatchObject({ cost_usd: null, price_id: null });
    expect(await leads.valueOf(recordId)).toMatchObject({ state: 'ready' });
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { entry: 'settled', cost_nano: null, hold_nano: '0', price_id: null },
    ]);
    expect(await budgetOf(api)).toMatchObject({ spent_cents: 0, held_cents: 0, unconfirmed_cents: 0 });
  });

  it('are refused at run time where a budget was set since, before anything is sent', async () => {
    const leads = await Leads.of(api, UNPRICED);
    await limitTenant(1000);
    const { recordId, jobId } = await leads.add('Ada');
    const job = await api.job(jobId);
    expect(job).toMatchObject({
      status: 'failed',
      error_code: 'unknown_price',
      retry_count: 0,
      executions: [],
    });
    expect(job.error_message).toContain(UNPRICED.model);
    expect(await leads.valueOf(recordId)).toMatchObject({
      state: 'blocked',
      error: { code: 'unknown_price' },
    });
    expect(stage.simulator.requests()).toEqual([]);
    expect(await ledgerEntries(stage.database, api.tenantId)).toEqual([]);
    await limitTenant(null);
    await api.post(`/ai-jobs/${jobId}/retry`);
    expect(await api.job(jobId)).toMatchObject({ status: 'completed' });
  });

  it("are refused by any user's budget too", async () => {
    const leads = await Leads.of(api, UNPRICED);
    await api.ok('PUT', `/budgets/user/${api.userId}`, { limit_cents: 1000 });
    expect(await leads.addDone('Ada')).toMatchObject({ status: 'failed', error_code: 'unknown_price' });
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('are refused when a field is configured under a budget, by the name of the model', async () => {
    const refused = (path: string) => ({
      status: 422,
      body: { errors: [{ path, message: expect.stringContaining(UNPRICED.model) }] },
    });
    const field = (more: Record<string, unknown>) => ({
      name: 'Leads',
      fields: [plain('name'), ai('summary', { prompt: 'Summarise {name}', ...UNPRICED, ...more })],
    });
    const created = await api.call('POST', '/pipelines', field({ budget_limit_cents: 100 }));
    expect(created).toMatchObject(refused('fields.1.ai_config.model'));

    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    await limitTenant(1000);
    const path = `/pipelines/${pipelineId}/fields/summary`;
    const change = { ai_config: { prompt: 'Summarise {name}', ...UNPRICED } };
    expect(await api.call('PATCH', path, change)).toMatchObject(refused('ai_config.model'));
    await limitTenant(null);
    await configure(api, pipelineId, 'summary', { prompt: 'Summarise {name}', ...UNPRICED });
  });

  describe('of a default model', () => {
    const { model } = UNPRICED;
    const choose = (more: object = {}) =>
      api.call('PATCH', '/ai-settings', { default_model: model, ...more });
    const refused = {
      status: 422,
      body: {
        errors: [
          { path: 'default_model', message: expect.stringMatching(/no known price.*or add its price$/) },
        ],
      },
    };
    /** A field that relies on the default model. */
    const relying = (config: Record<string, unknown> = {}) =>
      addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}', model: undefined, ...config })]);

    it('are refused where the tenant has a budget, or is given one with it', async () => {
      expect(await choose({ monthly_budget_cents: 100 })).toMatchObject(refused);
      expect((await api.get('/ai-settings')).monthly_budget_cents).toBeNull();
      await relying();
      expect(await choose({ monthly_budget_cents: 100 })).toMatchObject(refused);
      await limitTenant(100);
      expect(await choose()).toMatchObject(refused);
      expect((await api.get('/ai-settings')).default_model).toBe('gpt-4o-mini');
      expect(await choose({ monthly_budget_cents: null })).toMatchObject({ status: 200 });
    });

    it('are refused where a field that relies on it has a budget, and no other field', async () => {
      await relying({ model: 'gpt-4o', budget_limit_cents: 100 });
      expect((await choose()).status).toBe(200);
      await api.patch('/ai-settings', { default_model: 'gpt-4o' });
      await relying({ budget_limit_cents: 100 });
      expect(await choose()).toMatchObject(refused);
    });

    it('are known once the tenant gives the price', async () => {
      await limitTenant(100);
      const price = { provider: 'openai', model, context_window: 8192, input: 3, output: 7 };
      await api.ok('PUT', '/model-prices', price);
      expect((await choose()).status).toBe(200);
    });
  });

  it('do not matter where no provider serves the model: a field that relies on it is named', async () => {
    await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}', model: undefined })]);
    const { status, body } = await api.call('PATCH', '/ai-settings', { default_model: 'llama-3' });
    expect([status, body.errors]).toEqual([
      422,
      [
        {
          path: 'default_model',
          message: expect.stringMatching(/"summary" relies on it.*No provider is known/),
        },
      ],
    ]);
  });
});
