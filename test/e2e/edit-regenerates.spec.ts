import type { Api } from '../support/api.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, edit, plain } from '../support/pipelines.js';
import { answering, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('an edit regenerates', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    stage.simulator.script(
      answering({
        'Summarise Ada': 'About Ada',
        'Summarise Grace': 'About Grace',
        'Pitch Ada': 'Buy, Ada',
        'Pitch Grace': 'Buy, Grace',
        'A motto': 'Onward',
      }),
    );
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('notes', { field_type: 'textarea' }),
      ai('summary', { prompt: 'Summarise {name}' }),
      ai('pitch', { prompt: 'Pitch {name}', trigger_fields: ['notes'] }),
      ai('motto', { prompt: 'A motto' }),
    ]);
  });

  it('generates on create what the given values trigger, and what reads no field', async () => {
    const created = await addRecord(api, pipelineId, { name: 'Ada' });
    expect(created.data).toEqual({ name: 'Ada' });
    expect(created.ai_processing).toEqual({
      record_id: created.id,
      processing_mode: 'async',
      triggered_jobs: [
        { field: 'motto', job_id: expect.any(String), status: 'queued_on_commit' },
        { field: 'summary', job_id: expect.any(String), status: 'queued_on_commit' },
      ],
    });
    const record = await api.settled(created.id);
    expect(record.data).toEqual({ name: 'Ada', summary: 'About Ada', motto: 'Onward' });
    expect(record.version).toBe(1);
    expect(record.ai.summary).toMatchObject({ state: 'ready', model: 'gpt-4o-mini' });
    expect(record.ai.pitch).toEqual({ state: 'empty' });
    expect(prompts(stage.simulator).sort()).toEqual(['A motto', 'Summarise Ada']);

    const { job_id: jobId } = created.ai_processing.triggered_jobs[1];
    const job = await api.job(jobId);
    expect(job).toMatchObject({
      status: 'completed',
      outcome: 'generated',
      lane: 'interactive',
      cause: { origin: 'user', depth: 0, principal_id: api.userId },
    });
    expect(job.executions).toHaveLength(1);
    expect(job.executions[0].id).toBe(record.ai.summary.execution_id);
  });

  it('generates again when a field of the prompt changes, and no other field', async () => {
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    stage.simulator.clearRequests();

    const record = await edit(api, id, { name: 'Grace' });
    expect(record.data.summary).toBe('About Grace');
    expect(record.version).toBe(2);
    expect(prompts(stage.simulator)).toEqual(['Summarise Grace']);
  });

  it('makes no job and no call for an edit of a field that triggers nothing, or of nothing', async () => {
    await api.ok('DELETE', `/pipelines/${pipelineId}/fields/pitch`);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    stage.simulator.clearRequests();

    const noted = await api.patch(`/records/${id}`, { data: { notes: 'met in Ulm' } });
    expect(noted.ai_processing).toBeUndefined();
    expect(noted.ai.summary.state).toBe('ready');
    const same = await api.patch(`/records/${id}`, { data: { name: 'Ada' } });
    expect(same.ai_processing).toBeUndefined();
    expect(same.version).toBe(2);

    const jobs = await stage.database.sql('SELECT FROM ai_jobs WHERE tenant_id = $1', [api.tenantId]);
    expect(jobs).toHaveLength(2);
    expect(await ledgerOf(stage.database, api.tenantId)).toHaveLength(2);
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('goes by trigger_fields alone where they are given', async () => {
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', notes: 'first' });
    stage.simulator.clearRequests();

    const renamed = await edit(api, id, { name: 'Grace' });
    expect(prompts(stage.simulator)).toEqual(['Summarise Grace']);
    expect(renamed.ai.pitch).toMatchObject({ state: 'stale', stale_reasons: ['inputs'] });
    expect(renamed.data.pitch).toBe('Buy, Ada');

    const noted = await edit(api, id, { notes: 'second' });
    expect(prompts(stage.simulator)).toEqual(['Summarise Grace', 'Pitch Grace']);
    expect(noted.data.pitch).toBe('Buy, Grace');
    expect(noted.ai.pitch.state).toBe('ready');
  });
});
