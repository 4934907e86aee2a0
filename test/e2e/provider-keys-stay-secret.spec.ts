import type { Api } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { Leads } from '../support/leads.js';
import { ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const KEY = 'sk-tenant-very-secret-7391';
const GLOBAL_LAST_FOUR = 'test';

describe('provider keys', () => {
  let stage: Stage;
  let api: Api;
  let baseUrl: string;

  beforeAll(async () => {
    stage = await setStage();
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1 https://*.example.com` });
    baseUrl = `${stage.providerUrl}/v1`;
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  const put = (body: object) => api.call('PUT', '/provider-keys/openai', body);
  const lastFours = () => stage.simulator.requests().map(({ api_key_last_four: lastFour }) => lastFour);

  it("of a tenant pay its calls instead of the operator's, until they are deleted", async () => {
    const leads = await Leads.of(api);
    await leads.addDone('Ada');
    const stored = await put({ api_key: KEY, base_url: baseUrl });
    const view = {
      provider: 'openai',
      last_four: '7391',
      base_url: baseUrl,
      updated_at: expect.any(String),
      max_concurrency: null,
      last_used_at: null,
    };
    const breaker = { state: 'closed' };
    expect(stored).toMatchObject({ status: 200, body: view });
    expect(await api.get('/provider-keys')).toEqual({
      items: [{ ...view, breaker, global_breaker: breaker }],
      next_cursor: null,
    });
    await leads.addDone('Grace');
    expect((await api.call('DELETE', '/provider-keys/openai')).status).toBe(204);
    expect((await api.get('/provider-keys')).items).toEqual([]);
    expect((await api.call('DELETE', '/provider-keys/openai')).status).toBe(404);
    await leads.addDone('Mary');
    expect(lastFours()).toEqual([GLOBAL_LAST_FOUR, '7391', GLOBAL_LAST_FOUR]);
    const sources = (await ledgerEntries(stage.database, api.tenantId)).map(
      ({ key_source: source }) => source,
    );
    expect(sources.sort()).toEqual(['global', 'global', 'tenant']);
    const other = await stage.tenant();
    expect((await other.get('/provider-keys')).items).toEqual([]);
  });

  it('tell when they were last used, to the minute, and a new one that it was not', async () => {
    const lastUse = async () => (await api.get('/provider-keys')).items[0].last_used_at as string | null;
    const began = Date.now();
    await put({ api_key: KEY, base_url: baseUrl });
    await api.post('/provider-keys/openai/test');
    const leads = await Leads.of(api);
    expect(await lastUse()).toBeNull();
    await leads.addDone('Ada');
    const used = await api.until('the use is noted', async () => (await lastUse()) ?? undefined);
    expect(Date.parse(used)).toBeGreaterThanOrEqual(began - 1_000);
    await leads.addDone('Grace');
    await put({ api_key: KEY, base_url: baseUrl, max_concurrency: 5 });
    expect(await lastUse()).toBe(used);
    await stage.database.sql(
      `UPDATE ai_provider_keys SET last_used_at = last_used_at - interval '1 hour' WHERE tenant_id = $1`,
      [api.tenantId],
    );
    // Whoever stores a key may ask at once whether it is used.
    await leads.addDone('Mary');
    await api.until('it is noted again', async () => Date.parse((await lastUse())!) >= began - 1_000);
    expect(await put({ api_key: 'sk-another-one-8822', base_url: baseUrl })).toMatchObject({
      body: { last_four: '8822', last_used_at: null },
    });
    expect(lastFours()).toEqual(['7391', '7391', '7391', '7391']);
  });

  it('can be tested, and the test tells what is wrong', async () => {
    expect(await api.post('/provider-keys/openai/test')).toEqual({ ok: true, source: 'global' });
    await put({ api_key: KEY, base_url: baseUrl });
    expect(await api.post('/provider-keys/openai/test')).toEqual({ ok: true, source: 'tenant' });
    await put({ api_key: 'sk-invalid', base_url: baseUrl });
    expect(await api.post('/provider-keys/openai/test')).toMatchObject({
      ok: false,
      source: 'tenant',
      error: { code: 'provider_authentication' },
    });
    expect(lastFours()).toEqual([GLOBAL_LAST_FOUR, '7391', 'alid']);
    expect((await api.call('POST', '/provider-keys/nobody/test')).status).toBe(422);
  });

  it('go only where the operator allows', async () => {
    const { port } = new URL(stage.providerUrl);
    for (const url of [
      'https://evil.example.org/v1',
      'http://llm.example.com/v1',
      'https://example.com.evil.org/v1',
      'https://user:pass@llm.example.com/v1',
      'http://169.254.169.254/latest',
      `http://localhost:${port}/v1`,
      `http://127.0.0.1:${port}/_simulator`,
      `http://[::ffff:127.0.0.1]:${port}/v1`,
      'http://10.0.0.1/v1',
      'file:///etc/passwd',
      'nonsense',
    ]) {
      const answer = await put({ api_key: KEY, base_url: url });
      expect([url, answer.status, answer.body.errors?.[0]?.path]).toEqual([url, 422, 'base_url']);
    }
    expect((await put({ api_key: KEY, base_url: 'https://llm.example.com/v1' })).status).toBe(200);
    expect((await api.get('/provider-keys')).items).toMatchObject([
      { base_url: 'https://llm.example.com/v1' },
    ]);
  });

  it('are refused where they are none', async () => {
    for (const body of [
      {},
      { api_key: '' },
      { api_key: '  ' },
      { api_key: 'sk-ä' },
      { api_key: 'sk a' },
      { api_key: 7 },
    ])
      expect([body, (await put(body)).status]).toEqual([body, 422]);
    expect((await api.call('PUT', '/provider-keys/nobody', { api_key: KEY })).status).toBe(422);
    const editor = await api.as('editor');
    expect((await editor.call('PUT', '/provider-keys/openai', { api_key: KEY })).status).toBe(403);
    expect((await editor.call('GET', '/provider-keys')).status).toBe(403);
  });

  it('never show in an answer, a table or the log, not even when the provider quotes them', async () => {
    const answers = [(await put({ api_key: KEY, base_url: baseUrl })).body];
    const leads = await Leads.of(api);
    stage.simulator.script([
      { times: 1, action: { type: 'error', status: 401, message: `Incorrect API key provided: ${KEY}.` } },
    ]);
    const job = await leads.addDone('Ada');
    expect(job).toMatchObject({ status: 'failed', error_code: 'provider_authentication' });
    await leads.addDone('Grace');
    for (const path of [
      '/provider-keys',
      '/ai-jobs',
      `/ai-jobs/${job.id}`,
      `/records/${job.record_id}`,
      '/ai-settings',
    ])
      answers.push(await api.get(path));
    expect(JSON.stringify(answers)).not.toContain(KEY);
    expect(lastFours()).toEqual(['7391', '7391']);
    expect(await tablesHolding(stage.database, KEY)).toEqual([]);
    expect(await tablesHolding(stage.database, Buffer.from(KEY).toString('hex'))).toEqual([]);
    expect(stage.product.output()).not.toContain(KEY);
  });

  it('copied from one tenant to another open nothing', async () => {
    await put({ api_key: KEY, base_url: baseUrl });
    const thief = await stage.tenant();
    await stage.database.sql(
      `INSERT INTO ai_provider_keys SELECT $2, provider, key_id, sealed, last_four, base_url, updated_at
         FROM ai_provider_keys WHERE tenant_id = $1`,
      [api.tenantId, thief.tenantId],
    );
    const answer = await thief.call('POST', '/provider-keys/openai/test');
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(lastFours()).toEqual([]);
  });
});
