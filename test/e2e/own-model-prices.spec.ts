import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const LLAMA = { model: 'llama-4', provider: 'openai_compatible' };
const PRICE = { ...LLAMA, context_window: 8192, input: 3, output: 7 };
const TODAY = new Date().toISOString().slice(0, 10);

describe('own prices of models', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: stage.providerUrl });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    const key = { api_key: 'none', base_url: `${stage.providerUrl}/v1` };
    await api.ok('PUT', '/provider-keys/openai_compatible', key);
  });

  const own = async () => (await api.get('/model-prices')).items.filter((item: Body) => item.own);

  it('make a server of the tenant billable under a budget', async () => {
    await api.patch('/ai-settings', { monthly_budget_cents: 1000 });
    await expect(Leads.of(api, LLAMA)).rejects.toThrow('has no known price');
    const put = await api.ok('PUT', '/model-prices', PRICE);
    expect(put).toMatchObject({ ...PRICE, id: `tenant:openai_compatible/llama-4@${TODAY}`, own: true });

    const leads = await Leads.of(api, LLAMA);
    const job = await leads.addDone('Ada');
    expect(job).toMatchObject({ status: 'completed', ai_provider: 'openai_compatible' });
    const [request] = stage.simulator.requests();
    expect(request!.body).toMatchObject({ model: 'llama-4', max_tokens: expect.any(Number) });
    expect(request!.body).not.toHaveProperty('service_tier');
    const { input_tokens: input, output_tokens: output } = request!.answer!.usage!;
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { entry: 'settled', cost_nano: String(input * 3 + output * 7), price_id: put.id, key_source: 'tenant' },
    ]);
  });

  it('stand before the shipped ones, for this tenant alone', async () => {
    await api.ok('PUT', '/model-prices', { provider: 'openai', model: 'gpt-4o-mini', input: 1, output: 2 });
    const leads = await Leads.of(api);
    await leads.addDone('Ada');
    const { input_tokens: input, output_tokens: output } = stage.simulator.requests()[0]!.answer!.usage!;
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { cost_nano: String(input + 2 * output), price_id: `tenant:openai/gpt-4o-mini@${TODAY}` },
    ]);
    const other = await stage.tenant();
    const { items } = await other.get('/model-prices');
    expect(items.filter((item: Body) => item.own)).toEqual([]);
    expect(items.find((item: Body) => item.model === 'claude-haiku-4-5')).toMatchObject({
      id: 'anthropic/claude-haiku-4-5@2026-01-01',
      input: 1000,
      tools: { web_search_per_call: 10_000_000 },
      own: false,
    });
  });

  it('apply from their day to the day of the next, and can be taken back', async () => {
    await api.ok('PUT', '/model-prices', { ...PRICE, effective_from: '2026-01-01' });
    await api.ok('PUT', '/model-prices', { ...PRICE, input: 5, effective_from: '2026-02-01' });
    await api.ok('PUT', '/model-prices', { ...PRICE, input: 9, effective_from: '2099-01-01' });
    expect((await own()).map(({ effective_from, input }: Body) => [effective_from, input])).toEqual([
      ['2099-01-01', 9],
      ['2026-02-01', 5],
      ['2026-01-01', 3],
    ]);
    const leads = await Leads.of(api, LLAMA);
    const priceOf = async (job: Body) => job.executions[0].price_id;
    expect(await priceOf(await leads.addDone('Ada'))).toBe('tenant:openai_compatible/llama-4@2026-02-01');
    const gone = '/model-prices?provider=openai_compatible&model=llama-4&effective_from=2026-02-01';
    await api.ok('DELETE', gone);
    expect((await api.call('DELETE', gone)).status).toBe(404);
    expect(await priceOf(await leads.addDone('Grace'))).toBe('tenant:openai_compatible/llama-4@2026-01-01');
  });

  it('are refused with the member that is wrong, and by who may not', async () => {
    const put = (body: object) => api.call('PUT', '/model-prices', body);
    for (const [body, path] of [
      [{ model: 'x' }, 'provider'],
      [LLAMA, 'context_window'],
      [{ ...PRICE, input: 0.5 }, 'input'],
      [{ ...PRICE, output: -1 }, 'output'],
      [{ ...PRICE, tools: { web_search: 1 } }, 'tools.web_search'],
      [{ ...PRICE, effective_from: '2026-02-30' }, 'effective_from'],
      [{ ...PRICE, effective_to: '2027-01-01' }, 'effective_to'],
    ] as const) {
      const { status, body: problem } = await put(body);
      expect([body, status, problem.errors?.[0]?.path]).toEqual([body, 422, path]);
    }
    expect(await own()).toEqual([]);
    const editor = await api.as('editor');
    expect((await editor.call('PUT', '/model-prices', PRICE)).status).toBe(403);
    expect((await editor.call('GET', '/model-prices')).status).toBe(403);
  });
});
