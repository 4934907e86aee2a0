import type { Api } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('priorities', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    // One job at a time, so that the others wait where their order is decided.
    stage = await setStage({ AI_TENANT_WINDOW: '1' });
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
    ]);
  });

  afterAll(() => stage.close());

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** Queues the summary of a new record. @returns the id of its job. */
  async function queue(name: string, priority?: string): Promise<string> {
    const { id } = await addRecord(api, pipelineId, { name });
    const { job_id: jobId } = await api.post(`/records/${id}/ai/summary/generate`, { priority });
    return jobId as string;
  }

  it('the job queued last runs first where its priority is high, and low ones run last', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const first = await queue('first');
    await stage.simulator.waitForRequests(1);
    const waiting = [
      await queue('low', 'low'),
      await queue('default 1'),
      await queue('default 2', 'default'),
      await queue('high', 'high'),
    ];
    const shown = await Promise.all(waiting.map((id) => api.get(`/ai-jobs/${id}`)));
    expect(shown.map(({ status, priority }) => [status, priority])).toEqual([
      ['pending', 'low'],
      ['pending', 'default'],
      ['pending', 'default'],
      ['pending', 'high'],
    ]);

    stage.simulator.release();
    for (const id of [first, ...waiting]) expect((await api.job(id)).status).toBe('completed');
    expect(prompts(stage.simulator)).toEqual(
      ['first', 'high', 'default 1', 'default 2', 'low'].map((name) => `Summarise ${name}`),
    );
  });

  it('a job that waits is raised by whoever asks for it with more urgency, and never lowered', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const first = await queue('another');
    await stage.simulator.waitForRequests(1);
    const { id } = await addRecord(api, pipelineId, { name: 'raised' });
    const path = `/records/${id}/ai/summary/generate`;
    const { job_id: jobId } = await api.post(path, { priority: 'low' });
    expect((await api.post(path, { priority: 'high' })).job_id).toBe(jobId);
    expect((await api.post(path, { priority: 'default' })).job_id).toBe(jobId);
    expect((await api.get(`/ai-jobs/${jobId}`)).priority).toBe('high');
    stage.simulator.release();
    for (const job of [first, jobId]) await api.job(job);
  });

  it('holds for a run over many records and for a workflow node', async () => {
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    const run = await api.post(`/pipelines/${pipelineId}/ai/summary/generate`, {
      scope: 'all',
      filter: { name: 'Ada' },
      priority: 'low',
    });
    expect(run.queued).toBe(1);
    const { items } = await api.get(`/ai-jobs?record_id=${id}`);
    expect(items).toMatchObject([{ lane: 'backfill', priority: 'low' }]);
    const { job_id: node } = await api.post('/workflow-ai', {
      node_config: { node_id: 'n1', prompt: 'Say hello' },
      workflow_context: {},
      execution_id: 'e1',
      priority: 'high',
    });
    expect(await api.get(`/ai-jobs/${node}`)).toMatchObject({ lane: 'interactive', priority: 'high' });
  });

  it('refuses what is no priority, and names those there are', async () => {
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    const answer = await api.call('POST', `/records/${id}/ai/summary/generate`, { priority: 'urgent' });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([
      { path: 'priority', message: expect.stringContaining('high, default, low') },
    ]);
  });
});
