import type { Api } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering, holding } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const SECRET = 'secret-salary-4711';

describe('a field marked sensitive', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeEach(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('summary', { prompt: 'Summarise {*}', cache_duration: 3600 }),
      ai('advice', { prompt: 'Advise {summary}' }),
    ]);
    stage.simulator.script(answering({ 'Summarise ': `Earns ${SECRET}`, 'Advise ': `Knows ${SECRET}` }));
  });

  afterEach(() => stage.close());

  function mark(): Promise<unknown> {
    return api.patch(`/pipelines/${pipelineId}/fields/salary`, { sensitive: true });
  }

  it('is purged from every prompt, answer, cached result and job made from it', async () => {
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', salary: SECRET });
    const cached = await addSettled(api, pipelineId, { name: 'Ada', salary: SECRET });
    expect(cached.ai.summary.cost_usd).toBe(0);
    const before = await tablesHolding(stage.database, SECRET);
    expect(before).toEqual(
      expect.arrayContaining(['ai_executions', 'ai_result_cache', 'ai_values', 'records']),
    );

    await mark();
    // What was generated stays on the record, where people have read it, and is stale.
    expect(await tablesHolding(stage.database, SECRET)).toEqual(['ai_values', 'records']);
    const { ai: values } = await api.get(`/records/${id}`);
    expect(values.summary).toMatchObject({ state: 'stale', stale_reasons: ['inputs'] });
    expect(values.advice).toMatchObject({ state: 'stale', stale_reasons: ['upstream'] });
    const { items } = await api.get(`/records/${id}/ai/summary/history`);
    expect(items).toEqual([]);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.filter(({ entry }) => entry === 'settled')).toHaveLength(2);
  });

  it('is not kept by a call that was in flight, whose result is discarded', async () => {
    stage.simulator.script([holding('Summarise ', `Earns ${SECRET}`)]);
    const created = await addRecord(api, pipelineId, { name: 'Ada', salary: SECRET });
    await stage.simulator.waitForRequests(1);
    await mark();
    stage.simulator.release();
    await api.job(created.ai_processing.triggered_jobs[0].job_id);
    const record = await api.settled(created.id);
    expect(await tablesHolding(stage.database, SECRET)).toEqual(['records']);
    expect(record.data.summary).not.toContain(SECRET);
    const [first] = await ledgerOf(stage.database, api.tenantId);
    expect(first).toMatchObject({ entry: 'settled', outcome: 'answered' });
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
