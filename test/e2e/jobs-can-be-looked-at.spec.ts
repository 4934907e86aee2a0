import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, cents } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

describe('jobs can be looked at', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  const ids = (page: Body): string[] => page.items.map(({ id }: Body) => id);
  const list = async (query: string) => ids(await api.get(`/ai-jobs?${query}`));

  it('lists them newest first, by every filter', async () => {
    const others = await Leads.of(api);
    const before = new Date().toISOString();
    const [ada, grace] = [await leads.addDone('Ada'), await leads.addDone('Grace')];
    stage.simulator.script([{ times: 1, action: { type: 'error', status: 401 } }]);
    const mary = await others.addDone('Mary');
    expect(await list('')).toEqual([mary.id, grace.id, ada.id]);
    expect(await list('status=failed')).toEqual([mary.id]);
    expect(await list('error_code=provider_authentication')).toEqual([mary.id]);
    expect(await list(`pipeline_id=${leads.pipelineId}`)).toEqual([grace.id, ada.id]);
    expect(await list(`record_id=${ada.record_id}&status=completed`)).toEqual([ada.id]);
    expect(await list('field=summary&job_type=field_generation')).toEqual([mary.id, grace.id, ada.id]);
    expect(await list('field=nothing')).toEqual([]);
    expect(await list(`from=${before}`)).toHaveLength(3);
    expect(await list(`to=${before}`)).toEqual([]);
    expect(await list(`from=${grace.created_at}&to=${mary.created_at}`)).toEqual([grace.id]);
    for (const query of ['status=done', 'limit=0', 'limit=201', 'from=yesterday', 'cursor=x', 'colour=red'])
      expect([query, (await api.call('GET', `/ai-jobs?${query}`)).status]).toEqual([query, 422]);
    const other = await stage.tenant();
    expect((await other.get('/ai-jobs')).items).toEqual([]);
    expect((await other.call('GET', `/ai-jobs/${ada.id}`)).status).toBe(404);
  });

  it('pages through them without a gap or a double', async () => {
    const added = await leads.addMany(Array.from({ length: 7 }, (_, n) => `Lead${n}`));
    for (const { jobId } of added) await api.job(jobId);
    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Body = await api.get(`/ai-jobs?limit=3${cursor && `&cursor=${cursor}`}`);
      seen.push(...ids(page));
      sizes.push(page.items.length);
      cursor = page.next_cursor;
    }
    expect(sizes).toEqual([3, 3, 1]);
    expect([...seen].sort()).toEqual(added.map(({ jobId }) => jobId).sort());
    expect(seen).toEqual([...seen].sort().reverse());
  });

  it('shows of one job what was asked, answered and paid', async () => {
    const { recordId, jobId } = await leads.add('Ada');
    const job = await api.job(jobId);
    const [request] = stage.simulator.requests();
    const { usage, text } = request!.answer!;
    const cost = billed([request!]);
    expect(job).toMatchObject({
      id: jobId,
      job_type: 'field_generation',
      pipeline_id: leads.pipelineId,
      record_id: recordId,
      field_name: 'summary',
      ai_provider: 'openai',
      model_name: 'gpt-4o-mini',
      status: 'completed',
      outcome: 'generated',
      tokens_used: usage!.input_tokens + usage!.output_tokens,
      cost_cents: cents(cost),
      cost_usd: Number(cost) / 1e9,
      error_code: null,
      retry_count: 0,
      lane: 'interactive',
      cause: { origin: 'user', job_id: null, depth: 0, principal_id: api.userId },
    });
    expect(job.processing_time_ms).toBeGreaterThanOrEqual(0);
    const times = [job.created_at, job.started_at, job.completed_at];
    expect([...times].sort()).toEqual(times);
    expect(job.executions).toHaveLength(1);
    expect(job.executions[0]).toMatchObject({
      attempt: 1,
      n: 1,
      provider: 'openai',
      model: 'gpt-4o-mini',
      request: { messages: [{ role: 'user', content: 'Summarise Ada.' }] },
      answer: text,
      value: text,
      stop_reason: 'stop',
      usage: { input: usage!.input_tokens, output: usage!.output_tokens },
      cost_usd: Number(cost) / 1e9,
      error_code: null,
      stored: true,
    });
    const [listed] = (await api.get('/ai-jobs')).items;
    expect(listed.id).toBe(jobId);
    expect(listed.executions).toBeUndefined();
  });

  it('tells how the workers fare, and what waits, runs and failed', async () => {
    const worker = {
      id: expect.stringContaining(`:${stage.product.process.pid}:`),
      slots: 20,
      started_at: expect.any(String),
      heartbeat_at: expect.any(String),
      jobs: 0,
    };
    expect(await api.get('/ai-jobs/worker_health')).toEqual({
      status: 'ok',
      workers_alive: 1,
      workers: [worker],
      pending: 0,
      processing: 0,
      oldest_waiting_seconds: 0,
      lanes: [],
      failure_rate_last_hour: null,
      keys: [],
      postgres_ms: expect.any(Number),
    });
    stage.simulator.script([
      { match: { prompt_includes: 'Grace' }, action: { type: 'error', status: 401 } },
      { match: { prompt_includes: 'Ada' }, action: { type: 'hold' } },
    ]);
    await leads.addDone('Grace');
    await leads.addDone('Mary');
    const { jobId, recordId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(3);
    await api.patch(`/records/${recordId}`, { data: { name: 'Ada again' } });
    const health = await api.get('/ai-jobs/worker_health');
    expect(health).toMatchObject({ status: 'ok', pending: 1, processing: 1, failure_rate_last_hour: 0.5 });
    expect(health.workers).toEqual([{ ...worker, jobs: 1 }]);
    expect(await api.get('/ai-jobs/diagnostics')).toMatchObject({
      by_status: { completed: 1, failed: 1, pending: 1, processing: 1 },
      by_lane: [
        { lane: 'interactive', pending: 1, processing: 1, oldest_waiting_seconds: expect.any(Number) },
      ],
      failed_last_hour: { provider_authentication: 1 },
      completed_last_hour: 1,
      paused_keys: [],
      failing_keys: [],
      maintenance: expect.arrayContaining([
        {
          job: 'sweep_leases',
          outcome: 'completed',
          running: expect.any(Boolean),
          finished_at: expect.any(String),
          next_run: expect.any(String),
          duration_ms: expect.any(Number),
        },
      ]),
    });
    const other = await stage.tenant();
    expect(await other.get('/ai-jobs/worker_health')).toMatchObject({
      workers: [worker],
      processing: 0,
      failure_rate_last_hour: null,
    });
    stage.simulator.clearScript();
    stage.simulator.release();
    await api.job(jobId);
    await api.settled(recordId);
  });
});
