import { Api, type Body } from '../support/api.js';
import { createDatabase } from '../support/database.js';
import { Leads } from '../support/leads.js';
import { heldOf } from '../support/ledger.js';
import { budgetOf, cents, ledgerEntries, settledSpent, tokenCost } from '../support/money.js';
import { addPipeline, ai, configure, generate, plain } from '../support/pipelines.js';
import { startProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

const MODEL = 'claude-haiku-4-5';
const MAX_TOKENS = 200;

describe('a field of an Anthropic model', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '3600000' });
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: stage.providerUrl });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  const leadsOf = (config: Record<string, unknown> = {}) =>
    Leads.of(api, { model: MODEL, max_tokens: MAX_TOKENS, ...config });
  const ledger = () => ledgerEntries(stage.database, api.tenantId);
  const bodies = () => stage.simulator.requests().map(({ body }) => body as Body);

  it('goes from an edit to a value, at the cost that the provider tells', async () => {
    await api.patch('/ai-settings', { monthly_budget_cents: 1000 });
    const leads = await leadsOf();
    const usage = {
      input_tokens: 101,
      cache_read_tokens: 23,
      cache_write_tokens: 7,
      cache_write_1h_tokens: 3,
      output_tokens: 11,
    };
    stage.simulator.script([{ action: { type: 'answer', text: 'About Ada', usage } }]);
    const { recordId, jobId } = await leads.add('Ada');
    const job = await api.job(jobId);
    expect(job).toMatchObject({ status: 'completed', ai_provider: 'anthropic', model_name: MODEL });
    expect(await leads.valueOf(recordId)).toMatchObject({ value: 'About Ada', state: 'ready' });

    const [request] = stage.simulator.requests();
    expect([request!.path, request!.api_key_last_four]).toEqual(['/v1/messages', 'test']);
    expect(request!.body).toEqual({
      model: MODEL,
      max_tokens: MAX_TOKENS,
      messages: [{ role: 'user', content: 'Summarise Ada.' }],
      service_tier: 'standard_only',
    });
    const cost = tokenCost(MODEL, request!.answer!.usage);
    expect(cost).toBe(101n * 1000n + 23n * 100n + 7n * 1250n + 3n * 2000n + 11n * 5000n);
    expect(await ledger()).toMatchObject([
      {
        entry: 'settled',
        n: 1,
        cost_nano: String(cost),
        key_source: 'global',
        price_id: expect.stringMatching(/^anthropic\//),
      },
    ]);
    expect(job.cost_cents).toBe(cents(cost));
    expect(await settledSpent(api, stage.database)).toBe(cost);
  });

  it('fails for good when the model declines, and pays for it', async () => {
    const leads = await leadsOf();
    stage.simulator.script([{ action: { type: 'refusal' } }]);
    const job = await leads.addDone('Ada');
    expect(job).toMatchObject({ status: 'failed', error_code: 'provider_content_refusal', retry_count: 0 });
    const [request] = stage.simulator.requests();
    expect(await ledger()).toMatchObject([
      { entry: 'settled', cost_nano: String(tokenCost(MODEL, request!.answer!.usage)) },
    ]);
  });

  it('goes on with a paused turn in a further call, each with its own hold and settlement', async () => {
    const leads = await leadsOf();
    stage.simulator.script([
      { times: 1, action: { type: 'answer', text: 'First, ', pause: true } },
      { times: 1, action: { type: 'answer', text: 'second, ', pause: true } },
      { times: 1, action: { type: 'hold', then: { type: 'answer', text: 'third.' } } },
    ]);
    const { recordId, jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(3);
    expect(await ledger()).toMatchObject([
      { n: 1, entry: 'settled' },
      { n: 2, entry: 'settled' },
    ]);
    expect(await heldOf(stage.database, api.tenantId)).toBe(1);
    stage.simulator.release();

    const job = await api.job(jobId);
    expect(await leads.valueOf(recordId)).toMatchObject({ value: 'First, second, third.' });
    const costs = stage.simulator.requests().map(({ answer }) => tokenCost(MODEL, answer?.usage));
    expect((await ledger()).map(({ n, cost_nano }) => [n, cost_nano])).toEqual([
      [1, String(costs[0])],
      [2, String(costs[1])],
      [3, String(costs[2])],
    ]);
    expect(job.executions.map(({ n, stop_reason }: Body) => [n, stop_reason])).toEqual([
      [1, 'pause'],
      [2, 'pause'],
      [3, 'stop'],
    ]);
    const total = costs.reduce((sum, cost) => sum + cost, 0n);
    expect([job.cost_cents, await settledSpent(api, stage.database)]).toEqual([cents(total), total]);
    expect(bodies().map(({ messages }) => messages.length)).toEqual([1, 2, 2]);
    expect(bodies()[2].messages[1]).toMatchObject({
      role: 'assistant',
      content: [{ text: 'First, ' }, { text: 'second, ' }],
    });
  });

  it('waits where it is for the room that a further call needs, and keeps what it has paid for', async () => {
    const leads = await leadsOf();
    const other = await leadsOf();
    const first = { type: 'answer' as const, text: 'First, ', pause: true };
    stage.simulator.script([
      { match: { prompt_includes: 'Grace' }, action: { type: 'hold' } },
      { times: 1, action: { type: 'hold', then: first } },
      { action: { type: 'answer', text: 'second.' } },
    ]);
    const { recordId, jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    const { jobId: otherId } = await other.add('Grace');
    await stage.simulator.waitForRequests(2);
    const held = await budgetOf(api);
    await api.patch('/ai-settings', { monthly_budget_cents: held.held_cents });
    stage.simulator.release(1);
    await api.until('the first call is settled', async () => (await ledger()).length === 1);
    stage.simulator.release();
    await api.job(otherId);

    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(await leads.valueOf(recordId)).toMatchObject({ value: 'First, second.' });
    expect(stage.simulator.requests()).toHaveLength(3);
  });

  it('makes no further call for a paused turn that was stopped meanwhile', async () => {
    const leads = await leadsOf();
    const then = { type: 'answer' as const, text: 'First, ', pause: true };
    stage.simulator.script([{ times: 1, action: { type: 'hold', then } }]);
    const { jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    await api.post(`/ai-jobs/${jobId}/cancel`);
    stage.simulator.release();
    expect(await api.job(jobId)).toMatchObject({ status: 'cancelled', error_code: 'cancelled' });
    expect(stage.simulator.requests()).toHaveLength(1);
    expect((await ledger()).map(({ n, entry }) => [n, entry])).toEqual([[1, 'settled']]);
  });

  it('sends nothing more of a field that was made sensitive while a turn was paused', async () => {
    const leads = await leadsOf({ prompt: 'Summarise {*}' });
    const then = { type: 'answer' as const, text: 'First, ', pause: true };
    stage.simulator.script([
      { times: 1, action: { type: 'hold', then } },
      { action: { type: 'answer', text: 'Without a name' } },
    ]);
    const { recordId, jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    await api.patch(`/pipelines/${leads.pipelineId}/fields/name`, { sensitive: true });
    stage.simulator.release();
    const job = await api.job(jobId);
    expect(job).toMatchObject({ status: 'completed', outcome: 'discarded' });
    expect(job.executions).toMatchObject([{ n: 1, answer: null, request: null, citations: null }]);
    await api.settled(recordId);
    expect(
      bodies()
        .slice(1)
        .filter((body) => JSON.stringify(body).includes('Ada')),
    ).toEqual([]);
  });

  it('ends a turn that is never done, with all calls accounted for', async () => {
    const leads = await leadsOf();
    stage.simulator.script([{ action: { type: 'answer', text: 'More. ', pause: true } }]);
    const job = await leads.addDone('Ada');
    expect(job).toMatchObject({ status: 'failed', error_code: 'turn_too_long', retry_count: 0 });
    expect((await ledger()).map(({ entry }) => entry)).toEqual(Array(6).fill('settled'));
    expect(job.executions).toHaveLength(6);
  });

  it('asks for structured output, and stores what comes', async () => {
    const schema = {
      type: 'object',
      properties: { score: { type: 'integer' } },
      required: ['score'],
      additionalProperties: false,
    };
    const leads = await leadsOf({ output_type: 'structured', output_schema: schema });
    stage.simulator.script([{ action: { type: 'answer', text: '{"score": 7}' } }]);
    const { recordId, jobId } = await leads.add('Ada');
    await api.job(jobId);
    expect(await leads.valueOf(recordId)).toMatchObject({ value: { score: 7 } });
    expect(bodies()[0].output_config).toEqual({ format: { type: 'json_schema', schema } });
  });

  it('waits as long as the provider asks, without using a retry', async () => {
    await api.ok('PUT', '/provider-keys/anthropic', {
      api_key: 'sk-ant-own-aaaa',
      base_url: stage.providerUrl,
    });
    const leads = await leadsOf();
    stage.simulator.script([{ times: 1, action: { type: 'rate_limit', retry_after_s: 1 } }]);
    const { jobId } = await leads.add('Ada');
    const [limited] = await api.until('the key is paused', async () => {
      const rows = await stage.database.sql<{ left: number }>(
        `SELECT extract(epoch FROM paused_until - updated)::float8 AS left
           FROM (SELECT paused_until, now() AS updated FROM ai_key_pauses WHERE tenant_id = $1 AND provider = 'anthropic') p`,
        [api.tenantId],
      );
      return rows.length > 0 && rows;
    });
    expect(limited!.left).toBeLessThanOrEqual(1);
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(stage.simulator.requests().map(({ answer }) => answer?.status)).toEqual([429, 200]);
    expect((await ledger()).map(({ entry }) => entry)).toEqual(['released', 'settled']);
  });

  it('is told when its temperature is not sent, and does not depend on it', async () => {
    const warned = [expect.stringContaining('temperature of 0.9 is not sent')];
    const field = ai('summary', { model: MODEL, prompt: 'Summarise {name}.', temperature: 0.9 });
    const created = await api.post('/pipelines', { name: 'Leads', fields: [plain('name'), field] });
    expect(created.fields.map(({ warnings }: Body) => warnings)).toEqual([undefined, warned]);
    const path = `/pipelines/${created.id}/fields`;
    const added = await api.post(path, { ...field, slug: 'second', name: 'Second' });
    expect(added.warnings).toEqual(warned);
    const { warnings } = await configure(api, created.id, 'second', { model: MODEL, prompt: 'Hi {name}' });
    expect(warnings).toEqual([]);
    const preview = { pipeline_id: created.id, ai_config: field['ai_config'] };
    expect((await api.post('/ai-fields/preview', preview)).warnings).toEqual(warned);

    const record = await api.post(`/pipelines/${created.id}/records`, { data: { name: 'Ada' } });
    await api.settled(record.id);
    const calls = stage.simulator.requests().length;
    expect(bodies().filter((body) => 'temperature' in body)).toEqual([]);
    await configure(api, created.id, 'summary', { ...(field['ai_config'] as object), temperature: 0.1 });
    expect(await generate(api, record.id, 'summary')).toMatchObject({ outcome: 'unchanged' });
    expect(stage.simulator.requests()).toHaveLength(calls);
  });

  it('has a key that can be tested, as OpenAI has', async () => {
    for (const [provider, baseUrl] of [
      ['anthropic', stage.providerUrl],
      ['openai', `${stage.providerUrl}/v1`],
    ]) {
      const path = `/provider-keys/${provider}`;
      expect(await api.post(`${path}/test`)).toEqual({ ok: true, source: 'global' });
      await api.ok('PUT', path, { api_key: 'sk-invalid', base_url: baseUrl });
      const bad = await api.post(`${path}/test`);
      expect(bad).toMatchObject({
        ok: false,
        source: 'tenant',
        error: { code: 'provider_authentication' },
      });
      expect(JSON.stringify(bad)).not.toContain('sk-invalid');
      await api.ok('PUT', path, { api_key: 'sk-good', base_url: baseUrl });
      expect(await api.post(`${path}/test`)).toEqual({ ok: true, source: 'tenant' });
    }
    expect(stage.simulator.requests().map(({ path }) => path)).toEqual(Array(6).fill('/v1/models'));
  });

  it('is found by the provider too, whatever the model is called', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { model: 'my-deployment', provider: 'anthropic', prompt: 'Summarise {name}.' }),
    ]);
    const record = await api.post(`/pipelines/${pipelineId}/records`, { data: { name: 'Ada' } });
    expect((await api.settled(record.id)).ai.summary).toMatchObject({ state: 'ready' });
    expect(stage.simulator.requests().map(({ path }) => path)).toEqual(['/v1/messages']);
    expect(await budgetOf(api)).toMatchObject({ spent_cents: 0 });
  });

  it('is answered by the simulator where nobody has a key at all', async () => {
    const database = await createDatabase();
    const product = await startProduct({ database });
    const alone = await Api.register(product.url);
    const leads = await Leads.of(alone, { model: MODEL });
    const { recordId, jobId } = await leads.add('Ada');
    expect(await alone.job(jobId)).toMatchObject({ status: 'completed', ai_provider: 'anthropic' });
    expect(await leads.valueOf(recordId)).toMatchObject({ value: expect.any(String), state: 'ready' });
    expect(await ledgerEntries(database, alone.tenantId)).toMatchObject([{ key_source: 'simulator' }]);
    alone.close();
    await product.stop();
    await database.drop();
  });
});
