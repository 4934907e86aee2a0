import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { setStage, type Stage } from '../support/stage.js';

describe("a tenant that does not allow the host's keys", () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage();
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1` });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  const allow = (allow_global_keys: boolean) => api.patch('/ai-settings', { allow_global_keys });
  const lastFours = () => stage.simulator.requests().map(({ api_key_last_four: lastFour }) => lastFour);

  it('has its jobs fail with a code and a remedy, and nothing is sent', async () => {
    expect((await api.get('/ai-settings')).allow_global_keys).toBe(true);
    await leads.addDone('Ada');
    expect((await allow(false)).allow_global_keys).toBe(false);
    const { jobId, recordId } = await leads.add('Grace');
    expect(await api.job(jobId)).toMatchObject({
      status: 'failed',
      error_code: 'global_key_forbidden',
      error_message:
        'There is no key for openai of your own, and allow_global_keys forbids the shared one: ' +
        'store one with PUT /provider-keys/openai, or allow it in /ai-settings.',
      retry_count: 0,
      cost_usd: 0,
    });
    expect(await leads.valueOf(recordId)).toMatchObject({
      state: 'blocked',
      error: { code: 'global_key_forbidden' },
    });
    for (const [path, body] of [
      ['/provider-keys/openai/test', {}],
      ['/ai-fields/try', { pipeline_id: leads.pipelineId, ai_config: { prompt: 'Of {name}' } }],
    ] as const) {
      const { status, body: answer } = await api.call('POST', path, body);
      expect([path, status, answer.code]).toEqual([path, 422, 'global_key_forbidden']);
    }
    expect(lastFours()).toEqual(['test']);
  });

  it('works with a key of its own, and again with the shared one once that is allowed', async () => {
    await allow(false);
    await api.ok('PUT', '/provider-keys/openai', {
      api_key: 'sk-own-key-5150',
      base_url: `${stage.providerUrl}/v1`,
    });
    expect(await leads.addDone('Ada')).toMatchObject({ status: 'completed' });
    await api.ok('DELETE', '/provider-keys/openai');
    const failed = await leads.addDone('Grace');
    expect(failed).toMatchObject({ error_code: 'global_key_forbidden' });
    await allow(true);
    await api.post(`/ai-jobs/${failed.id}/retry`);
    expect(await api.job(failed.id)).toMatchObject({ status: 'completed', outcome: 'generated' });
    expect(lastFours()).toEqual(['5150', 'test']);
  });

  it('is alone in that', async () => {
    await allow(false);
    const others = await Leads.of(await stage.tenant());
    expect(await others.addDone('Ada')).toMatchObject({ status: 'completed' });
    for (const allow_global_keys of [null, 'no', 0])
      expect((await api.call('PATCH', '/ai-settings', { allow_global_keys })).status).toBe(422);
  });
});
