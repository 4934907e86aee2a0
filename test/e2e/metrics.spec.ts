import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { scrape, sum, type Sample } from '../support/metrics.js';
import { billed } from '../support/money.js';
import { startProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

describe('/metrics', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant('Analytical Engines');
    leads = await Leads.of(api);
  });

  afterAll(() => stage.close());

  const read = () => scrape(stage.product.url);
  /** What a counter grew by while something was done. */
  async function growth(work: () => Promise<unknown>) {
    const before = await read();
    await work();
    const after = await read();
    return (name: string, labels: Record<string, string>) =>
      sum(after, name, labels) - sum(before, name, labels);
  }

  it('counts jobs by lane, outcome and error code', async () => {
    const grew = await growth(async () => {
      await leads.addDone('Ada');
      stage.simulator.script([{ times: 1, action: { type: 'error', status: 401 } }]);
      await leads.addDone('Grace');
    });
    const ended = 'fieldsmith_jobs_ended_total';
    expect(grew(ended, { lane: 'interactive', outcome: 'generated', error_code: 'none' })).toBe(1);
    expect(grew(ended, { outcome: 'failed', error_code: 'provider_authentication' })).toBe(1);
    expect(grew('fieldsmith_job_duration_seconds_count', { lane: 'interactive' })).toBe(2);
    expect(grew('fieldsmith_dispatcher_passes_total', {})).toBeGreaterThan(0);
  });

  it('counts calls, tokens and dollars by provider and model, to the last token', async () => {
    stage.simulator.clearRequests();
    const grew = await growth(() => leads.addDone('Mary'));
    const [request] = stage.simulator.requests();
    const { usage } = request!.answer!;
    const labels = { provider: 'openai', model: 'gpt-4o-mini' };
    expect(grew('fieldsmith_provider_call_seconds_count', { ...labels, outcome: 'answered' })).toBe(1);
    expect(grew('fieldsmith_tokens_total', { ...labels, kind: 'input' })).toBe(usage!.input_tokens);
    expect(grew('fieldsmith_tokens_total', { ...labels, kind: 'output' })).toBe(usage!.output_tokens);
    expect(grew('fieldsmith_cost_usd_total', labels)).toBeCloseTo(Number(billed([request!])) / 1e9, 12);
  });

  it('makes no label of what a tenant names a model', async () => {
    const named = await Leads.of(api, { model: 'gpt-my-own-secret-model' });
    const grew = await growth(() => named.addDone('Ada'));
    expect(grew('fieldsmith_provider_call_seconds_count', { model: 'other' })).toBe(1);
  });

  it('measures requests by the template of their route, and makes no label of a path', async () => {
    const { recordId } = await leads.add('Hedy');
    await api.settled(recordId);
    const grew = await growth(async () => {
      await api.get(`/records/${recordId}`);
      await api.call('GET', '/records/nothing-of-the-kind');
      await api.call('GET', '/a/path/that-somebody/made-up');
      await api.call('POST', '/pipelines', '{');
    });
    const count = 'fieldsmith_http_request_seconds_count';
    const route = '/api/v1/records/:id';
    expect(grew(count, { method: 'GET', route, status: '200' })).toBe(1);
    expect(grew(count, { method: 'GET', route, status: '404' })).toBe(1);
    expect(grew(count, { route: 'unmatched', status: '404' })).toBe(1);
    expect(grew(count, { route: 'unmatched', status: '400' })).toBe(1);
  });

  it('counts the open streams of events', async () => {
    const stream = await api.events();
    await api.until('it is counted', async () => sum(await read(), 'fieldsmith_event_stream_readers') >= 1);
    const before = sum(await read(), 'fieldsmith_event_stream_readers');
    stream.close();
    await api.until(
      'it is gone',
      async () => sum(await read(), 'fieldsmith_event_stream_readers') === before - 1,
    );
  });

  it('names no tenant, no id and no value in any label', async () => {
    const { recordId, jobId } = await leads.add('Ada of the labels');
    await api.job(jobId);
    const all = await read();
    const labels = JSON.stringify(all.map((sample: Sample) => sample.labels));
    const ids = [api.tenantId, api.userId, leads.pipelineId, recordId, jobId];
    for (const text of [...ids, 'Analytical', 'Ada', 'summary', 'secret-model', 'made-up'])
      expect([text, labels.includes(text)]).toEqual([text, false]);
    expect(labels).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']),
    );
  });

  it('needs the token where one is set, and none where not', async () => {
    const { database, providerUrl } = stage;
    const guarded = await startProduct({ database, providerUrl, env: { METRICS_TOKEN: 'scrape-me' } });
    const ask = async (authorization?: string) =>
      (await fetch(`${guarded.url}/metrics`, { headers: authorization ? { authorization } : {} })).status;
    const wrong = [undefined, 'Bearer scrape', 'Bearer scrape-me-not', 'scrape-me', `Bearer ${api.token}`];
    expect(await Promise.all(wrong.map(ask))).toEqual([401, 401, 401, 401, 401]);
    expect(await ask('Bearer scrape-me')).toBe(200);
    expect((await fetch(`${stage.product.url}/metrics`)).headers.get('content-type')).toMatch(/^text\/plain/);
    await guarded.stop();
  });
});
