import type { Api, Body } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { holding, promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const NAMES = ['Ada', 'Bob', 'Cleo', 'Dan'];

describe('runs that want the same values', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let ids: string[];

  beforeAll(async () => {
    // One job at a time in each lane: the others of a run wait, and can be folded into.
    stage = await setStage({ AI_TENANT_WINDOW: '1' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false, cache_duration: 0 }),
      ai('advice', { prompt: 'Advise {summary}', trigger_fields: ['summary'], cache_duration: 0 }),
    ]);
    ids = [];
    for (const name of NAMES) ids.push((await addRecord(api, pipelineId, { name })).id);
    stage.simulator.script([{ action: { type: 'hold' } }]);
  });

  afterEach(() => {
    stage.simulator.clearScript();
    stage.simulator.release();
  });

  const start = (body: Record<string, unknown> = { scope: 'all' }): Promise<Body> =>
    api.post(`/pipelines/${pipelineId}/ai/summary/generate`, body);
  const progress = (run: Body): Promise<Body> => api.get(`/ai-runs/${run.run_id}`);
  const stop = (run: Body): Promise<Body> => api.post(`/ai-runs/${run.run_id}/stop`);

  /** Starts a run and waits until its first job is in flight. */
  async function startBusy(): Promise<Body> {
    const run = await start();
    await stage.simulator.waitForRequests(1);
    return run;
  }

  function letGo(): void {
    stage.simulator.clearScript();
    stage.simulator.release();
  }

  const ended = (run: Body): Promise<Body> =>
    api.until('the run has ended', async () => {
      const now = await progress(run);
      return now.completed + now.failed + now.cancelled === now.total && now;
    });

  /** For whom there were calls. */
  const summarised = () =>
    stage.simulator
      .requests()
      .map(promptOf)
      .filter((prompt) => prompt.startsWith('Summarise'))
      .map((prompt) => prompt.replace('Summarise ', ''))
      .sort();

  it('go on with the job that takes the place of one', async () => {
    stage.simulator.clearScript();
    stage.simulator.script([
      { times: 1, action: { type: 'hold', then: { type: 'error', status: 500 } } },
      { times: 1, action: { type: 'hold' } },
    ]);
    const one = { scope: 'all', limit: 1 };
    const first = await start(one);
    await stage.simulator.waitForRequests(1);
    const second = await start(one);
    stage.simulator.release();
    await stage.simulator.waitForRequests(2);
    const { items } = await api.get(`/ai-jobs?record_id=${ids[0]}&status=cancelled`);
    expect(items).toMatchObject([{ error_code: 'superseded', run_id: first.run_id }]);
    expect(await progress(first)).toMatchObject({ total: 1, processing: 1, cancelled: 0 });
    stage.simulator.release();
    const [ended1, ended2] = [await ended(first), await ended(second)];
    for (const run of [ended1, ended2]) expect(run).toMatchObject({ total: 1, completed: 1, cancelled: 0 });
    expect(ended1.cost_usd).toBeGreaterThan(0);
    expect(ended1.cost_usd).toBe(ended2.cost_usd);
    await api.settled(ids[0]!);
  });

  it('count the jobs that they share, each of them, and what those cost', async () => {
    const first = await startBusy();
    const second = await start();
    expect(second.queued).toBe(NAMES.length);
    expect(await progress(first)).toMatchObject({ queueing: false, total: 4, processing: 1, pending: 3 });
    // The value in flight is wanted anew, the others are folded into the jobs that wait.
    expect(await progress(second)).toMatchObject({ queueing: false, total: 4, processing: 0, pending: 4 });
    const { items } = await api.get(`/ai-jobs?run_id=${second.run_id}&field=summary`);
    expect(items).toHaveLength(NAMES.length);

    letGo();
    const both = [await ended(first), await ended(second)];
    for (const run of both) expect(run).toMatchObject({ total: 4, completed: 4, cancelled: 0 });
    const shared = await stage.database.sql<{ jobs: number; cost: number }>(
      `SELECT count(*)::int AS jobs, sum(cost_nano)::float8 AS cost FROM ai_jobs j
        WHERE tenant_id = $1 AND 2 = (SELECT count(*) FROM ai_run_jobs m WHERE m.tenant_id = $1 AND m.job_id = j.id)`,
      [api.tenantId],
    );
    expect(shared[0]!.jobs).toBe(3);
    expect(both[1].cost_usd * 1e9).toBeCloseTo(shared[0]!.cost, 3);
    expect(both[0].cost_usd).toBeGreaterThan(both[1].cost_usd);
  });

  it('stopping one leaves what the other wants, whichever was first; stopping both ends it', async () => {
    const first = await startBusy();
    const second = await start({ scope: 'all', limit: 3 });
    // Dan is wanted by the first alone.
    expect(await stop(first)).toMatchObject({ stopped: true, cancelled: 1, pending: 2, processing: 1 });
    expect(await progress(second)).toMatchObject({ stopped: false, cancelled: 0, pending: 3 });
    expect(await stop(second)).toMatchObject({ cancelled: 3, pending: 0 });
    expect(await progress(first)).toMatchObject({ cancelled: 3, processing: 1 });
    letGo();
    expect(await ended(first)).toMatchObject({ completed: 1, cancelled: 3 });
    expect(summarised()).toHaveLength(1);
  });

  it('stopping a run leaves what a person asked for, before the run or after it', async () => {
    const first = await startBusy();
    const generate = (id: string) => api.post(`/records/${id}/ai/summary/generate`);
    const { id: busy } = await addRecord(api, pipelineId, { name: 'Zoe' });
    await generate(busy);
    await stage.simulator.waitForRequests(2);
    const { job_id: bob } = await generate(ids[1]!);
    const second = await start();
    const later = await addRecord(api, pipelineId, { name: 'Eve' });
    const { job_id: eve } = await generate(later.id);
    const third = await start();
    for (const run of [first, second, third]) await stop(run);
    const { items } = await api.get('/ai-jobs?status=pending&field=summary');
    expect(items.map(({ id }: Body) => id).sort()).toEqual([bob, eve].sort());
    expect(items.map(({ cause }: Body) => cause.origin)).toEqual(['user', 'user']);
    letGo();
    for (const id of [bob, eve]) expect(await api.job(id)).toMatchObject({ outcome: 'generated' });
    expect(summarised()).toEqual(expect.arrayContaining(['Bob', 'Eve']));
  });

  it('stopping a run leaves what a fresh upstream value made due', async () => {
    stage.simulator.clearScript();
    stage.simulator.script([holding('Summarise Bob', 'the fresh Bob'), { action: { type: 'hold' } }]);
    const adviceOfAll = () => api.post(`/pipelines/${pipelineId}/ai/advice/generate`, { scope: 'all' });
    await api.post(`/records/${ids[1]}/ai/summary/generate`);
    await stage.simulator.waitForRequests(1);
    // Takes the lane once the summary has left it.
    await api.post(`/records/${ids[2]}/ai/advice/generate`);
    const run = await adviceOfAll();
    await stage.simulator.waitForRequests(2);
    stage.simulator.release(1);
    await stage.simulator.waitForRequests(3);
    const again = await adviceOfAll();
    await stop(run);
    await stop(again);
    const { items } = await api.get('/ai-jobs?status=pending&field=advice');
    expect(items).toMatchObject([{ record_id: ids[1], cause: { origin: 'ai' } }]);
    letGo();
    await api.settled(ids[1]!);
    expect(stage.simulator.requests().map(promptOf)).toContain('Advise the fresh Bob');
  });
});
