import type { Api } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

/** A process that takes edits and works on none; it never reaches its Redis. */
const API_ONLY = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' };
const EVERYTHING = { ROLE: 'all', REDIS_URL: '' };

describe('a process killed between the commit of an edit and the call', () => {
  let stage: Stage;
  let before: Api;
  let after: Api;

  beforeAll(async () => {
    stage = await setStage(API_ONLY);
    before = await stage.tenant();
  });

  afterAll(async () => {
    after.close();
    await stage.close();
  });

  it('leaves a job that the next process completes, with the value of the last edit', async () => {
    const pipelineId = await addPipeline(before, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}' }),
    ]);
    const created = await addRecord(before, pipelineId, { name: 'Ada' });
    const [job] = created.ai_processing.triggered_jobs;
    const edited = await before.patch(`/records/${created.id}`, { data: { name: 'Grace' } });
    expect(edited.ai_processing.triggered_jobs).toEqual([job]);
    expect((await before.get(`/ai-jobs/${job.job_id}`)).status).toBe('pending');
    expect((await before.get(`/records/${created.id}`)).ai.summary.state).toBe('queued');
    expect(stage.simulator.requests()).toEqual([]);

    await stage.restart('kill', EVERYTHING);
    after = before.at(stage.product.url);
    expect(await after.job(job.job_id)).toMatchObject({
      status: 'completed',
      outcome: 'generated',
      attempts: 1,
      retry_count: 0,
    });
    const requests = stage.simulator.requests();
    expect(requests.map(promptOf)).toEqual(['Summarise Grace']);
    const record = await after.get(`/records/${created.id}`);
    expect(record.data).toEqual({ name: 'Grace', summary: requests[0]!.answer!.text });
    expect(record.ai.summary.state).toBe('ready');
  });
});
