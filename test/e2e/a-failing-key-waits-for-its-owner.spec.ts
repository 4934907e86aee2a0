import type { ScriptAction } from '#libs/llm-simulator';
import type { Api, Body } from '../support/api.js';
import { importCsv } from '../support/csv.js';
import { Leads } from '../support/leads.js';
import { logLines } from '../support/log-lines.js';
import { addPipeline, addSettled, ai, plain } from '../support/pipelines.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

const PROBE_MS = 500;
/** What another process may believe of a key for so long. */
const STALE_MS = 1_000;
const GLOBAL_KEY = 'sk-global-test';
const REFUSED: ScriptAction = { type: 'error', status: 401 };

describe('a key that fails waits for its owner', () => {
  let stage: Stage;
  let second: RunningProduct;
  let keys = 0;

  beforeAll(async () => {
    const env = { AI_PROBE_INTERVAL_MS: String(PROBE_MS), AI_MAX_RETRIES: '2' };
    stage = await setStage(env);
    const allowed = { PROVIDER_URL_ALLOWLIST: stage.providerUrl };
    await stage.restart('stop', allowed);
    const { database, providerUrl } = stage;
    second = await startProduct({ database, providerUrl, env: { ...env, ...allowed } });
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** A key that no test before has used. */
  const freshKey = () => `sk-own-${String(++keys).padStart(4, '0')}`;

  const putKey = (api: Api, apiKey: string): Promise<Body> =>
    api.ok('PUT', '/provider-keys/openai', { api_key: apiKey, base_url: `${stage.providerUrl}/v1` });

  const script = (apiKey: string, action: ScriptAction, more: object = {}) =>
    stage.simulator.script([{ match: { api_key: apiKey, ...more }, action }]);

  const sentWith = (apiKey: string) =>
    stage.simulator.requests().filter((request) => request.api_key_last_four === apiKey.slice(-4));

  const breakerOf = async (api: Api): Promise<Body> => (await api.get('/provider-keys')).items[0].breaker;

  const waits = (api: Api, id: string): Promise<Body> =>
    api.until('the job waits for the key', async () => {
      const job = await api.get(`/ai-jobs/${id}`);
      return job.wait_reason === 'breaker' && job;
    });

  /** A tenant whose own key has been refused three times in a row. */
  async function refusedTenant(): Promise<{ api: Api; leads: Leads; apiKey: string }> {
    const api = await stage.tenant();
    const apiKey = freshKey();
    await putKey(api, apiKey);
    const leads = await Leads.of(api);
    script(apiKey, REFUSED);
    for (const name of ['One', 'Two', 'Three']) {
      const job = await leads.addDone(name);
      expect(job).toMatchObject({ status: 'failed', error_code: 'provider_authentication', attempts: 1 });
    }
    return { api, leads, apiKey };
  }

  it('its jobs wait and say why, its owner is told, everybody else goes on, and all is done once it works', async () => {
    const { api, leads, apiKey } = await refusedTenant();
    const reader = await api.events();
    const { recordId, jobId } = await leads.add('Ada');
    const job = await waits(api, jobId);
    expect(job).toMatchObject({ status: 'pending', retry_count: 0, error_code: 'provider_key_failing' });
    expect(job.error_message).toContain('refused the API key');
    expect(JSON.stringify(job)).not.toContain(apiKey);
    expect(await leads.valueOf(recordId)).toMatchObject({
      state: 'blocked',
      job_id: jobId,
      error: { code: 'provider_key_failing', message: job.error_message },
    });
    expect(await breakerOf(api)).toEqual({
      state: 'open',
      opened_at: expect.any(String),
      error: { code: 'provider_authentication', message: expect.stringContaining('refused the API key') },
    });
    expect((await api.get('/provider-keys')).items[0].global_breaker).toEqual({ state: 'closed' });
    const failing = [
      { provider: 'openai', key: 'tenant', state: 'failing', error: { code: 'provider_authentication' } },
    ];
    expect((await api.get('/ai-jobs/diagnostics')).failing_keys).toMatchObject(failing);
    expect((await api.get('/ai-jobs/worker_health')).keys).toMatchObject(failing);
    const fields = [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', model: 'claude-haiku-4-5', provider: 'anthropic' }),
    ];
    const other = await addSettled(api, await addPipeline(api, fields), { name: 'Hedy' });
    expect(other.ai.summary.state).toBe('ready');
    const elsewhere = await Leads.of(await stage.tenant());
    expect(await elsewhere.addDone('Grace')).toMatchObject({ status: 'completed' });

    stage.simulator.clearScript();
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0, error_code: null });
    expect(await breakerOf(api)).toEqual({ state: 'closed' });
    const isClosed = () => reader.events.some(({ data }) => data['state'] === 'closed');
    await api.until('the screens are told', () => Promise.resolve(isClosed()));
    const told = reader.events.filter(({ type }) => type === 'provider_key.changed');
    expect(told.map(({ data }) => data)).toEqual([{ provider: 'openai', source: 'tenant', state: 'closed' }]);
    reader.close();
    const isLogged = (state: string) =>
      [stage.product, second]
        .flatMap((product) => logLines(product.output()))
        .some(({ message, owner }) => message === `provider key breaker ${state}` && owner === api.tenantId);
    await api.until('the log says so', () => Promise.resolve(isLogged('open') && isLogged('closed')));
    expect(await stage.database.sql('SELECT FROM ai_key_breakers')).toEqual([]);
  });

  it('one call in each interval is let through, over two processes, and uses no retry', async () => {
    const { api, leads, apiKey } = await refusedTenant();
    const other = await Leads.of(api.at(second.url));
    const added = [...(await leads.addMany(['A', 'B', 'C', 'D'])), ...(await other.addMany(['E', 'F']))];
    for (const { jobId } of added) await waits(api, jobId);
    const before = sentWith(apiKey).length;
    await stage.simulator.waitForRequests(before + 8);
    const [breaker] = await stage.database.sql<{ opened_at: Date }>(
      'SELECT opened_at FROM ai_key_breakers WHERE tenant_id = $1',
      [api.tenantId],
    );
    const times = sentWith(apiKey)
      .map(({ time }) => Date.parse(time))
      .filter((time) => time > breaker!.opened_at.getTime() + STALE_MS);
    expect(times.length).toBeGreaterThan(3);
    const gaps = times.slice(1).map((time, n) => time - times[n]!);
    expect(Math.min(...gaps)).toBeGreaterThan(PROBE_MS * 0.6);
    for (const { jobId } of added) {
      const job = await api.get(`/ai-jobs/${jobId}`);
      expect([job.status === 'pending' || job.status === 'processing', job.retry_count]).toEqual([true, 0]);
    }
    stage.simulator.clearScript();
    for (const { jobId } of added)
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
  });

  it.each<[string, ScriptAction, string]>([
    ['a bad request', { type: 'error', status: 400 }, 'provider_invalid_request'],
    ['a model that the key may not use', { type: 'error', status: 403 }, 'provider_permission'],
    ['a refusal', { type: 'refusal' }, 'provider_content_refusal'],
  ])('works again, as %s shows, however bad the record is that was let through', async (_, action, code) => {
    const { api, leads, apiKey } = await refusedTenant();
    const { jobId } = await leads.add('Bad');
    await waits(api, jobId);
    script(apiKey, action, { prompt_includes: 'Bad' });
    expect(await api.job(jobId)).toMatchObject({ status: 'failed', error_code: code, retry_count: 0 });
    expect(await breakerOf(api)).toEqual({ state: 'closed' });
    expect(await leads.addDone('Good')).toMatchObject({ status: 'completed' });
  });

  it('fails only after three refusals in a row, and again after it worked', async () => {
    const api = await stage.tenant();
    const apiKey = freshKey();
    await putKey(api, apiKey);
    const leads = await Leads.of(api);
    const run = async (action: ScriptAction, name: string): Promise<Body> => {
      script(apiKey, action);
      return leads.addDone(name);
    };
    for (const [n, status] of [401, 402, 400, 402, 401].entries())
      expect(await run({ type: 'error', status }, `Lead${n}`)).toMatchObject({ status: 'failed' });
    expect(await breakerOf(api)).toEqual({ state: 'closed' });
    expect(await run(REFUSED, 'Last')).toMatchObject({ status: 'failed' });
    expect(await breakerOf(api)).toMatchObject({ state: 'open' });
    const { jobId } = await leads.add('Waiting');
    await waits(api, jobId);
    stage.simulator.clearScript();
    expect(await api.job(jobId)).toMatchObject({ status: 'completed' });
    for (let n = 0; n < 3; n++) expect(await run(REFUSED, `Again${n}`)).toMatchObject({ status: 'failed' });
    expect(await breakerOf(api)).toMatchObject({ state: 'open' });
  });

  it('a new key, or a test that succeeds, lets go at once what waits', async () => {
    const { api, leads, apiKey } = await refusedTenant();
    const first = await leads.add('Ada');
    await waits(api, first.jobId);
    await putKey(api, freshKey());
    expect(await breakerOf(api)).toEqual({ state: 'closed' });
    expect(await api.job(first.jobId)).toMatchObject({ status: 'completed', retry_count: 0 });

    await putKey(api, apiKey);
    for (const name of ['Four', 'Five', 'Six']) await leads.addDone(name);
    const next = await leads.add('Grace');
    await waits(api, next.jobId);
    expect(await api.post('/provider-keys/openai/test')).toMatchObject({ ok: true });
    expect(await breakerOf(api)).toEqual({ state: 'closed' });
    // Let go, it meets the same refusal, as the first that stands for itself.
    const error = { status: 'failed', error_code: 'provider_authentication', retry_count: 0 };
    expect(await api.job(next.jobId)).toMatchObject(error);
  });

  it('of the operator holds back all tenants that share it, in words that quote nobody', async () => {
    const [one, two] = [await Leads.of(await stage.tenant()), await Leads.of(await stage.tenant())];
    const own = await stage.tenant();
    await putKey(own, freshKey());
    script(GLOBAL_KEY, { type: 'error', status: 402, message: 'no credit for Secret Lead' });
    for (const name of ['A', 'B', 'C'])
      expect(await one.addDone(name)).toMatchObject({ error_code: 'provider_quota' });
    const readers = [await one.api.events(), await two.api.events()];
    const [ada, eve] = [await one.add('Ada'), await two.add('Eve')];
    await waits(one.api, ada.jobId);
    const job = await waits(two.api, eve.jobId);
    expect(job.error_message).toBe(
      'Waiting until the key for openai works again: its account has no quota left.',
    );
    expect((await own.get('/provider-keys')).items).toMatchObject([
      {
        provider: 'openai',
        breaker: { state: 'closed' },
        global_breaker: {
          state: 'open',
          error: { code: 'provider_quota', message: 'its account has no quota left.' },
        },
      },
    ]);
    expect(await (await Leads.of(own)).addDone('Own')).toMatchObject({ status: 'completed' });
    stage.simulator.clearScript();
    expect(await one.api.job(ada.jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    expect(await two.api.job(eve.jobId)).toMatchObject({ status: 'completed', retry_count: 0 });
    for (const [n, { api }] of [one, two].entries()) {
      const closed = () =>
        readers[n]!.events.filter(({ type }) => type === 'provider_key.changed').map(({ data }) => data);
      await api.until('both are told', () => Promise.resolve(closed().length > 0));
      expect(closed()).toEqual([{ provider: 'openai', source: 'global', state: 'closed' }]);
      readers[n]!.close();
    }
  });

  it('lets hundreds go the moment it works, each asked once or twice', async () => {
    const { api, leads, apiKey } = await refusedTenant();
    const csv = ['name', ...Array.from({ length: 300 }, (_, n) => `Lead${n}`)].join('\n');
    await importCsv(api, leads.pipelineId, csv, '?generate=true');
    await api.until('all wait', async () => {
      const { waiting } = await api.get('/ai-jobs/diagnostics');
      return waiting.breaker === 300;
    });
    expect(sentWith(apiKey).length).toBeLessThan(40);
    stage.simulator.clearScript();
    await stage.simulator.waitForRequests(sentWith(apiKey).length + 300);
    const count = `SELECT count(*)::int AS jobs, sum(attempt)::int AS attempts FROM ai_jobs
                    WHERE tenant_id = $1 AND status = 'completed'`;
    const done = await api.until('all are done', async () => {
      const [row] = await stage.database.sql<{ jobs: number; attempts: number }>(count, [api.tenantId]);
      return row!.jobs === 300 && row;
    });
    expect(done.attempts).toBeLessThan(500);
  });
});
