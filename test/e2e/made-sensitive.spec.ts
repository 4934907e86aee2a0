import { randomUUID } from 'node:crypto';
import type { Api, Body } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a field marked sensitive', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  /** The value of the field; another one in each test. */
  let secret: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    secret = `secret-${randomUUID()}`;
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('summary', { prompt: 'Summarise {*}', cache_duration: 3600 }),
      ai('advice', { prompt: 'Advise {summary}' }),
      ai('size', { prompt: 'Size {*}', output_type: 'number' }),
    ]);
    stage.simulator.script(
      answering({
        'Summarise ': `Earns ${secret}`,
        'Advise ': `Knows ${secret}`,
        'Size ': `No number but ${secret}`,
      }),
    );
  });

  function mark(): Promise<unknown> {
    return api.patch(`/pipelines/${pipelineId}/fields/salary`, { sensitive: true });
  }

  it('is purged from every prompt, answer, cached result and job made from it', async () => {
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', salary: secret });
    const cached = await addSettled(api, pipelineId, { name: 'Ada', salary: secret });
    expect(cached.ai.summary.cost_usd).toBe(0);
    const before = await tablesHolding(stage.database, secret);
    expect(before).toEqual(
      expect.arrayContaining(['ai_executions', 'ai_result_cache', 'ai_values', 'records']),
    );

    await mark();
    // What was generated stays on the record, where people have read it, and is stale.
    expect(await tablesHolding(stage.database, secret)).toEqual(['ai_values', 'records']);
    const { ai: values } = await api.get(`/records/${id}`);
    expect(values.summary).toMatchObject({ state: 'stale', stale_reasons: ['inputs'] });
    expect(values.advice).toMatchObject({ state: 'stale', stale_reasons: ['inputs', 'upstream'] });
    const { items } = await api.get(`/records/${id}/ai/summary/history`);
    expect(items).toEqual([]);
    const rows = await ledgerOf(stage.database, api.tenantId);
    const paid = rows.filter(({ entry, field }) => entry === 'settled' && field !== 'size');
    expect(paid).toHaveLength(2);
  });

  it('leaves no trace of calls that could not be read or stored', async () => {
    await addSettled(api, pipelineId, { name: 'Ada', salary: secret });
    const { items } = await api.get('/ai-jobs?field=size');
    expect(items[0]).toMatchObject({ status: 'failed', error_code: 'parse_failed' });
    expect(items[0].error_message).toContain(secret);
    await mark();
    expect(await tablesHolding(stage.database, secret)).toEqual(['ai_values', 'records']);
    expect(stage.product.output()).not.toContain(secret);
  });

  it('is not kept by a call that was in flight, whose result is discarded', async () => {
    stage.simulator.script([
      holding('Summarise ', `Earns ${secret}`),
      ...answering({ 'Summarise ': 'Earns well', 'Advise ': 'Call', 'Size ': '3' }),
    ]);
    const created = await addRecord(api, pipelineId, { name: 'Ada', salary: secret });
    await stage.simulator.waitForRequests(2);
    await mark();
    stage.simulator.release();
    const job = await api.job(jobOf(created, 'summary'));
    expect(job).toMatchObject({ outcome: 'discarded', error_code: 'inputs_withdrawn', output_data: {} });
    const record = await api.settled(created.id);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
    expect(record.data).toMatchObject({ summary: 'Earns well', advice: 'Call' });
    expect(prompts(stage.simulator)).toContain('Summarise Name: Ada');
    const rows = await ledgerOf(stage.database, api.tenantId);
    const paid = rows.filter(({ entry, field }) => entry === 'settled' && field === 'summary');
    expect(paid).toHaveLength(2);
  });

  it.each([
    ['fails', {}, { status: 'failed', outcome: null }],
    ['falls back', { fallback_value: 0 }, { status: 'completed', outcome: 'fallback' }],
  ])('is not quoted by a job that %s when its answer was in flight', async (_, more, ended) => {
    const size = ai('size', { prompt: 'Size {*}', output_type: 'number', ...more });
    pipelineId = await addPipeline(api, [plain('name'), plain('salary'), size], 'Sizes');
    const [unreadable] = answering({ 'Size ': `No number but ${secret}` });
    stage.simulator.script([{ ...unreadable!, times: 1 }, holding('Size ', `Still ${secret}`)]);
    const created = await addRecord(api, pipelineId, { name: 'Ada', salary: secret });
    await stage.simulator.waitForRequests(2);
    await mark();
    stage.simulator.release();
    const job = await api.job(jobOf(created, 'size'));
    expect(job).toMatchObject({ ...ended, error_code: 'parse_failed', error_message: null });
    await api.settled(created.id);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
  });

  it('is refused while a prompt names it, and the prompts are named', async () => {
    await api.post(`/pipelines/${pipelineId}/fields`, ai('grade', { prompt: 'Grade {salary}' }));
    const answer = await api.call('PATCH', `/pipelines/${pipelineId}/fields/salary`, { sensitive: true });
    expect(answer).toMatchObject({ status: 409, body: { code: 'field_in_use' } });
    expect(answer.body.errors).toEqual([
      { path: 'fields.grade.ai_config', message: '"Grade" references "salary"' },
    ]);
    const { fields } = await api.get(`/pipelines/${pipelineId}`);
    expect(fields.find(({ slug }: { slug: string }) => slug === 'salary').sensitive ?? false).toBe(false);
  });
});

/** The job that a save made for a field. */
function jobOf({ ai_processing: made }: Body, wanted: string): string {
  const jobs: { field: string; job_id: string }[] = made.triggered_jobs;
  return jobs.find(({ field }) => field === wanted)!.job_id;
}
