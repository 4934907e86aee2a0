import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const PAUSE_S = 1;

describe('a rate limit pauses the key', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage();
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: stage.providerUrl });
  });

  afterAll(() => stage.close());

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** A tenant with a key of its own. */
  async function tenantWithKey(apiKey: string): Promise<Api> {
    const api = await stage.tenant();
    const key = { api_key: apiKey, base_url: `${stage.providerUrl}/v1` };
    await api.ok('PUT', '/provider-keys/openai', key);
    return api;
  }

  const pausedJob = (api: Api, id: string): Promise<Body> =>
    api.until('the job waits for the key', async () => {
      const job = await api.get(`/ai-jobs/${id}`);
      return job.wait_reason === 'rate_limit' && job;
    });

  it('no job of the key is sent before the pause ends, none loses a retry, other keys go on', async () => {
    const limited = await tenantWithKey('sk-limited-aaaa');
    const other = await tenantWithKey('sk-other-bbbb');
    const [leads, others] = [await Leads.of(limited), await Leads.of(other)];
    stage.simulator.script([
      {
        match: { api_key: 'sk-limited-aaaa' },
        times: 1,
        action: { type: 'rate_limit', retry_after_s: PAUSE_S },
      },
    ]);
    const first = await leads.add('Ada');
    expect(await pausedJob(limited, first.jobId)).toMatchObject({
      status: 'pending',
      attempts: 1,
      retry_count: 0,
      error_code: 'provider_rate_limit',
    });
    const [pause] = await stage.database.sql<{ paused_until: Date }>(
      'SELECT paused_until FROM ai_key_pauses WHERE tenant_id = $1',
      [limited.tenantId],
    );
    const diagnostics = await limited.get('/ai-jobs/diagnostics');
    expect(diagnostics.paused_keys).toEqual([
      { provider: 'openai', key: 'tenant', state: 'paused', until: pause!.paused_until.toISOString() },
    ]);
    const more = await leads.addMany(['Grace', 'Edith', 'Mary']);
    await limited.post('/ai-jobs/queue_pending');
    expect(await others.addDone('Hedy')).toMatchObject({ status: 'completed' });

    for (const { jobId } of [first, ...more])
      expect(await limited.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    const sent = stage.simulator.requests().filter(({ api_key_last_four: key }) => key === 'aaaa');
    expect(sent).toHaveLength(5);
    for (const { time } of sent.slice(1))
      expect(Date.parse(time)).toBeGreaterThanOrEqual(pause!.paused_until.getTime());
    const ledger = await ledgerEntries(stage.database, limited.tenantId);
    expect(ledger.filter(({ entry }) => entry === 'released')).toMatchObject([
      { job_id: first.jobId, attempt: 1, outcome: 'provider_rate_limit', cost_nano: '0' },
    ]);
    expect(ledger.filter(({ entry }) => entry === 'settled')).toHaveLength(4);
  });

  it('holds for a try too, which asks for one like any call', async () => {
    const api = await tenantWithKey('sk-try-eeee');
    stage.simulator.script([
      { match: { api_key: 'sk-try-eeee' }, action: { type: 'rate_limit', retry_after_s: 3600 } },
    ]);
    stage.simulator.clearRequests();
    const leads = await Leads.of(api);
    const draft = {
      pipeline_id: leads.pipelineId,
      ai_config: { model: 'gpt-4o-mini', prompt: 'Say hello.' },
    };
    for (let n = 0; n < 3; n++) {
      const { status, body } = await api.call('POST', '/ai-fields/try', draft);
      expect([n, status, body.code]).toEqual([n, 503, 'provider_rate_limit']);
    }
    expect(stage.simulator.requests()).toHaveLength(1);
    await pausedJob(api, (await leads.add('Ada')).jobId);
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('a new key is not held to the pause of the old one', async () => {
    const api = await tenantWithKey('sk-old-cccc');
    stage.simulator.script([
      { match: { api_key: 'sk-old-cccc' }, action: { type: 'rate_limit', retry_after_s: 3600 } },
    ]);
    const leads = await Leads.of(api);
    const { jobId } = await leads.add('Ada');
    await pausedJob(api, jobId);
    await api.ok('PUT', '/provider-keys/openai', {
      api_key: 'sk-new-dddd',
      base_url: `${stage.providerUrl}/v1`,
    });
    expect(await leads.addDone('Grace')).toMatchObject({ status: 'completed' });
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2, retry_count: 0 });
  });

  it('in a long pause one job of its line looks each minute, and all go when it ends', async () => {
    const api = await tenantWithKey('sk-long-ffff');
    stage.simulator.script([
      { match: { api_key: 'sk-long-ffff' }, times: 1, action: { type: 'rate_limit', retry_after_s: 3600 } },
    ]);
    const leads = await Leads.of(api);
    const due: number[] = [];
    const waiting: string[] = [];
    for (const name of ['Ada', 'Grace', 'Edith']) {
      const { jobId } = await leads.add(name);
      due.push(Date.parse((await pausedJob(api, jobId)).run_after));
      waiting.push(jobId);
    }
    due.sort((a, b) => a - b);
    for (const [n, time] of due.slice(1).entries()) expect(time - due[n]!).toBeGreaterThan(25_000);
    expect(stage.simulator.requests()).toHaveLength(1);
    await stage.database.sql('UPDATE ai_key_pauses SET paused_until = now() WHERE tenant_id = $1', [
      api.tenantId,
    ]);
    for (const jobId of waiting)
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(stage.simulator.requests()).toHaveLength(4);
  });
});
