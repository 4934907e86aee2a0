import type { Api, Body } from '../support/api.js';
import { importCsv } from '../support/csv.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, edit, generate, plain } from '../support/pipelines.js';
import { answering, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const NAMES = ['Ada', 'Bob', 'Cleo', 'Dan', 'Eve'];

describe('generating a field for many records', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    // A window of two leaves jobs of a run waiting while calls are held.
    stage = await setStage({ AI_TENANT_WINDOW: '2' });
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('city'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
      ai('advice', { prompt: 'Advise {summary}', auto_regenerate: false }),
    ]);
  });

  async function addAll(): Promise<string[]> {
    const ids: string[] = [];
    for (const name of NAMES) {
      const city = name < 'C' ? 'Ulm' : 'Bonn';
      ids.push((await addSettled(api, pipelineId, { name, city })).id);
    }
    return ids;
  }

  function start(body: Record<string, unknown>): Promise<Body> {
    return api.post(`/pipelines/${pipelineId}/ai/summary/generate`, body);
  }

  /** Starts a run and waits until all of its jobs have ended. @returns its progress, and for whom it called. */
  async function run(
    body: Record<string, unknown>,
  ): Promise<{ queued: number; progress: Body; names: string[] }> {
    stage.simulator.clearRequests();
    const { run_id: id, queued } = await start(body);
    const progress = await api.until(`run ${id} has ended`, async () => {
      const now = await api.get(`/ai-runs/${id}`);
      return now.completed + now.failed + now.cancelled === now.total && now;
    });
    const names = prompts(stage.simulator).map((prompt) => prompt.replace('Summarise ', ''));
    return { queued, progress, names: names.sort() };
  }

  it('takes those of its scope: empty, stale, failed or all', async () => {
    const [ada, bob] = await addAll();
    const filled = await run({ scope: 'empty', filter: { city: 'Ulm' } });
    expect(filled).toMatchObject({ queued: 2, names: ['Ada', 'Bob'] });
    expect(filled.progress).toMatchObject({
      total: 2,
      completed: 2,
      failed: 0,
      cancelled: 0,
      eta_seconds: 0,
    });
    const rows = await ledgerOf(stage.database, api.tenantId);
    const cost = rows.reduce((sum, row) => sum + row.cost, 0);
    expect(cost).toBeGreaterThan(0);
    expect(filled.progress.cost_usd).toBeCloseTo(cost / 1e9, 12);

    stage.simulator.script([{ match: { prompt_includes: 'Eve' }, action: { type: 'error', status: 400 } }]);
    const rest = await run({ scope: 'empty' });
    expect(rest.names).toEqual(['Cleo', 'Dan', 'Eve']);
    expect(rest.progress).toMatchObject({ total: 3, completed: 2, failed: 1 });
    expect(await api.get(`/pipelines/${pipelineId}/ai/states`)).toMatchObject({
      summary: { ready: 4, failed: 1 },
      advice: { empty: 5 },
    });

    stage.simulator.clearScript();
    expect((await run({ scope: 'failed' })).names).toEqual(['Eve']);
    await edit(api, bob!, { name: 'Bert' });
    expect((await run({ scope: 'stale' })).names).toEqual(['Bert']);
    const record = await api.get(`/records/${ada}`);
    expect((await run({ scope: 'empty' })).queued).toBe(0);

    const all = await run({ scope: 'all' });
    expect(all).toMatchObject({ queued: 5, names: [] });
    expect(all.progress).toMatchObject({ total: 5, completed: 5, cost_usd: 0 });
    expect((await api.get(`/records/${ada}`)).data).toEqual(record.data);
  });

  it('takes no more than the limit, and every record of the rest next time', async () => {
    await addAll();
    expect((await run({ scope: 'empty', limit: 2 })).names).toEqual(['Ada', 'Bob']);
    expect((await run({ scope: 'empty', limit: 2 })).names).toEqual(['Cleo', 'Dan']);
    expect((await run({ scope: 'empty', limit: 2 })).names).toEqual(['Eve']);
  });

  it('estimates with dry_run and changes nothing; the calls then cost no more than it said', async () => {
    await addAll();
    await api.patch('/ai-settings', { monthly_budget_cents: 5 });
    const answer = await api.call('POST', `/pipelines/${pipelineId}/ai/summary/generate`, {
      scope: 'empty',
      filter: { city: 'Bonn' },
      dry_run: true,
    });
    expect(answer.status).toBe(200);
    const estimate = answer.body;
    expect(estimate).toMatchObject({
      records: 3,
      budget_remaining_usd: 0.05,
      downstream: [{ field: 'advice', records: 3 }],
    });
    expect(estimate.input_tokens).toBeGreaterThan(3);
    expect(estimate.typical_cost_usd).toBeGreaterThan(0);
    expect(estimate.max_cost_usd).toBeGreaterThan(estimate.typical_cost_usd);
    expect(await stage.database.sql('SELECT FROM ai_jobs WHERE tenant_id = $1', [api.tenantId])).toEqual([]);
    expect(await stage.database.sql('SELECT FROM ai_runs WHERE tenant_id = $1', [api.tenantId])).toEqual([]);
    expect(stage.simulator.requests()).toEqual([]);

    const { progress } = await run({ scope: 'empty', filter: { city: 'Bonn' } });
    expect(progress.total).toBe(3);
    const holds = (await ledgerOf(stage.database, api.tenantId)).map(({ hold }) => hold);
    expect(holds.reduce((sum, hold) => sum + hold) / 1e9).toBeCloseTo(estimate.max_cost_usd, 12);
    expect(progress.cost_usd).toBeLessThanOrEqual(estimate.max_cost_usd);
  });

  it('estimates nothing for what would not be called: no condition, a person, nothing new, a prompt without end', async () => {
    const pipeline = await addPipeline(api, [
      plain('name'),
      plain('text'),
      ai('brief', {
        prompt: `Summarise {name} ${'{text}'.repeat(101)}`,
        condition: '{{ne name "Eve"}}',
        auto_regenerate: false,
      }),
    ]);
    const ids = new Map<string, string>();
    for (const name of NAMES) ids.set(name, (await addRecord(api, pipeline, { name })).id);
    await api.patch(`/records/${ids.get('Ada')}`, { data: { brief: 'mine' } });
    await generate(api, ids.get('Bob')!, 'brief');
    await api.patch(`/records/${ids.get('Cleo')}`, { data: { text: 'x'.repeat(10_000) } });
    stage.simulator.clearRequests();

    const path = `/pipelines/${pipeline}/ai/brief/generate`;
    const { body } = await api.call('POST', path, { scope: 'all', dry_run: true });
    expect(body).toMatchObject({ records: 1, skipped: 3, failing: 1 });
    const { run_id: id } = await api.post(path, { scope: 'all' });
    const ended = await api.until('the run has ended', async () => {
      const now = await api.get(`/ai-runs/${id}`);
      return now.completed + now.failed === 5 && now;
    });
    expect(ended).toMatchObject({ completed: 4, failed: 1 });
    expect(prompts(stage.simulator)).toEqual(['Summarise Dan ']);
  });

  it('answers once the first 1,000 are queued, and queues the rest meanwhile', async () => {
    const lines = Array.from({ length: 1_200 }, (_, n) => `Person ${n}`);
    await importCsv(api, pipelineId, ['name', ...lines].join('\n'));
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const { run_id: id, queued } = await start({ scope: 'all' });
    expect(queued).toBe(1_000);
    const whole = await api.until('all are queued', async () => {
      const now = await api.get(`/ai-runs/${id}`);
      return !now.queueing && now;
    });
    expect(whole).toMatchObject({ total: 1_200, stopped: false });
    await api.post(`/ai-runs/${id}/stop`);
    stage.simulator.clearScript();
    stage.simulator.release();
  });

  it('runs in the backfill lane, which an edit passes', async () => {
    await addAll();
    await api.post(`/pipelines/${pipelineId}/fields`, ai('motto', { prompt: 'Motto {city}' }));
    stage.simulator.script([{ match: { prompt_includes: 'Summarise' }, action: { type: 'hold' } }]);
    const { run_id: id } = await start({ scope: 'all' });
    await stage.simulator.waitForRequests(2);
    const { items } = await api.get('/ai-jobs?field=summary');
    expect(items).toHaveLength(5);
    for (const job of items) {
      expect(job).toMatchObject({ lane: 'backfill', run_id: id, cause: { origin: 'backfill' } });
    }

    const edited = await addSettled(api, pipelineId, { name: 'Finn', city: 'Kiel' });
    expect(edited.ai.motto.state).toBe('ready');
    const now = await api.get(`/ai-runs/${id}`);
    expect(now).toMatchObject({ total: 5, completed: 0, processing: 2, eta_seconds: null });
    stage.simulator.clearScript();
    stage.simulator.release();
    await api.until('the run has ended', async () => (await api.get(`/ai-runs/${id}`)).completed === 5);
  });

  it('stops what has not started, and lets what is in flight end', async () => {
    await addAll();
    stage.simulator.script([{ times: 2, action: { type: 'hold' } }]);
    const { run_id: id } = await start({ scope: 'all' });
    await stage.simulator.waitForRequests(2);
    const stopped = await api.post(`/ai-runs/${id}/stop`);
    expect(stopped).toMatchObject({ total: 5, processing: 2, cancelled: 3, stopped: true });
    stage.simulator.release();
    const ended = await api.until('the run has ended', async () => {
      const now = await api.get(`/ai-runs/${id}`);
      return now.processing === 0 && now;
    });
    expect(ended).toMatchObject({ completed: 2, cancelled: 3, pending: 0 });
    expect(stage.simulator.requests()).toHaveLength(2);
    const states = await api.get(`/pipelines/${pipelineId}/ai/states`);
    expect(states.summary).toEqual({ ready: 2, empty: 3 });
  });

  it('generates what depends on the field too, in the same lane and for the same run', async () => {
    const pipeline = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
      ai('advice', { prompt: 'Advise {summary}' }),
    ]);
    stage.simulator.script(answering({ 'Summarise Ada': 'sa', 'Advise sa': 'aa' }));
    const { id } = await addSettled(api, pipeline, { name: 'Ada' });
    await api.post(`/pipelines/${pipeline}/ai/summary/generate`, { scope: 'all' });
    await api.until('advice is there', async () => (await api.get(`/records/${id}`)).data.advice === 'aa');
    const { items } = await api.get(`/ai-jobs?record_id=${id}`);
    expect(items.map((job: Body) => [job.field_name, job.lane, job.cause.origin])).toEqual([
      ['advice', 'backfill', 'ai'],
      ['summary', 'backfill', 'backfill'],
    ]);
  });

  it('takes null for what is not given', async () => {
    await addAll();
    const nothing = { filter: null, limit: null, priority: null };
    const path = `/pipelines/${pipelineId}/ai/summary/generate`;
    expect(await api.post(path, { scope: 'empty', dry_run: true, ...nothing })).toMatchObject({ records: 5 });
    expect((await run({ scope: 'empty', dry_run: null, ...nothing })).queued).toBe(5);
  });

  it.each([0, -1, 1.5, '2', true, [2]])('refuses a limit of %j with its path', async (limit) => {
    for (const dry_run of [false, true]) {
      const path = `/pipelines/${pipelineId}/ai/summary/generate`;
      const { status, body } = await api.call('POST', path, { scope: 'all', limit, dry_run });
      expect([status, body.errors[0].path]).toEqual([422, 'limit']);
    }
  });

  it('refuses a filter by what is no field, with the nearest names', async () => {
    for (const dry_run of [false, true]) {
      const path = `/pipelines/${pipelineId}/ai/summary/generate`;
      const filter = { ctiy: 'Ulm', name: 'Ada', 'x y': 1 };
      expect(await api.call('POST', path, { scope: 'all', filter, dry_run })).toMatchObject({
        status: 422,
        body: {
          errors: [
            { path: 'filter.ctiy', message: expect.stringContaining('Did you mean "city"?') },
            {
              path: 'filter.x y',
              message: expect.stringMatching(/^is no field of this pipeline: .*correct it\.$/),
            },
          ],
        },
      });
    }
    expect(await stage.database.sql('SELECT FROM ai_runs WHERE tenant_id = $1', [api.tenantId])).toEqual([]);
  });

  it('refuses an unknown scope, run, field and pipeline', async () => {
    const path = `/pipelines/${pipelineId}/ai/summary/generate`;
    expect(await api.call('POST', path, { scope: 'some' })).toMatchObject({ status: 422 });
    expect(await api.call('POST', path, { scope: 'all', limit: 0 })).toMatchObject({ status: 422 });
    const unknown = '01890000-0000-7000-8000-000000000000';
    expect((await api.call('GET', `/ai-runs/${unknown}`)).status).toBe(404);
    expect(
      (await api.call('POST', `/pipelines/${pipelineId}/ai/name/generate`, { scope: 'all' })).status,
    ).toBe(404);
    expect(
      (await api.call('POST', `/pipelines/${unknown}/ai/summary/generate`, { scope: 'all' })).status,
    ).toBe(404);
  });
});
