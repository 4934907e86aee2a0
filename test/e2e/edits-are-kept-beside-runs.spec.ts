import type { Api, Body } from '../support/api.js';
import { addPipeline, addRecord, ai, generate, plain } from '../support/pipelines.js';
import { prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const SERVER_ERROR = { type: 'error', status: 500 } as const;
const REFUSED = { type: 'error', status: 400 } as const;
const HELD = { action: { type: 'hold' } } as const;

describe('what a person wants of a value that a run wants too', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    // One job at a time in each lane: while a run's first call is held, its other jobs wait.
    stage = await setStage({ AI_TENANT_WINDOW: '1' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      ai('note', { prompt: 'About {name}', cache_duration: 0, auto_regenerate: false }),
    ]);
  });

  afterEach(() => {
    stage.simulator.clearScript();
    stage.simulator.release();
  });

  const ask = (id: string, force = false): Promise<Body> =>
    api.post(`/records/${id}/ai/note/generate`, { force });
  const startRun = (): Promise<Body> =>
    api.post(`/pipelines/${pipelineId}/ai/note/generate`, { scope: 'all' });
  const stop = (run: Body): Promise<Body> => api.post(`/ai-runs/${run.run_id}/stop`);

  /** Takes the backfill lane with a run over a record of another pipeline. */
  async function keepBackfillBusy(): Promise<void> {
    const elsewhere = await addPipeline(
      api,
      [plain('name'), ai('note', { prompt: 'Elsewhere {name}', auto_regenerate: false })],
      'Elsewhere',
    );
    await addRecord(api, elsewhere, { name: 'Zoe' });
    const before = stage.simulator.requests().length;
    await api.post(`/pipelines/${elsewhere}/ai/note/generate`, { scope: 'all' });
    await stage.simulator.waitForRequests(before + 1);
  }

  it.each([
    ['a server error', SERVER_ERROR],
    ['a rate limit', { type: 'rate_limit', retry_after_s: 1 } as const],
  ])('is done after %s, and not stopped with the run', async (_what, then) => {
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    stage.simulator.script([
      { times: 1, action: { type: 'hold', then } },
      { ...HELD, times: 1 },
    ]);
    const { job_id: asked } = await ask(id);
    await stage.simulator.waitForRequests(1);
    await keepBackfillBusy();
    const run = await startRun();
    stage.simulator.release(1);
    expect(await api.job(asked)).toMatchObject({ status: 'cancelled', error_code: 'superseded' });
    expect(await stop(run)).toMatchObject({ stopped: true, cancelled: 0 });
    const { data, ai: states } = await api.settled(id);
    expect(states.note.state).toBe('ready');
    expect(data.note).toBe(stage.simulator.requests().at(-1)!.answer!.text);
  });

  it('is still made by force after an error that passed', async () => {
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    await generate(api, id, 'note');
    stage.simulator.clearRequests();
    stage.simulator.script([{ times: 1, action: { type: 'hold', then: SERVER_ERROR } }]);
    const { job_id: forced } = await ask(id, true);
    await stage.simulator.waitForRequests(1);
    const { job_id: asked } = await ask(id);
    stage.simulator.release();
    expect(await api.job(forced)).toMatchObject({ status: 'cancelled', error_code: 'superseded' });
    expect(await api.job(asked)).toMatchObject({ status: 'completed', outcome: 'generated' });
    expect(prompts(stage.simulator)).toEqual(['About Ada', 'About Ada']);
  });

  it('is done where a retry finds the job of a run, and not stopped with it', async () => {
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    stage.simulator.script([
      { times: 1, action: REFUSED },
      { ...HELD, times: 1 },
    ]);
    const failed = await generate(api, id, 'note');
    expect(failed.status).toBe('failed');
    await keepBackfillBusy();
    const run = await startRun();
    const retried = await api.post(`/ai-jobs/${failed.id}/retry`);
    expect(retried).toMatchObject({ cause: { origin: 'retry' } });
    expect(retried.id).not.toBe(failed.id);
    expect(await stop(run)).toMatchObject({ stopped: true, cancelled: 0 });
    expect(await api.job(retried.id)).toMatchObject({ status: 'completed', outcome: 'generated' });
  });
});
