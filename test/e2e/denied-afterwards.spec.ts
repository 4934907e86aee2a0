import { randomUUID } from 'node:crypto';
import type { Api, Body } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const ANSWERS = { 'Summarise ': 'Earns well', 'Advise ': 'Call' };

describe('a field that comes onto the deny list', () => {
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
    stage.simulator.script(answering({ 'Summarise ': `Earns ${secret}`, 'Advise ': `Knows ${secret}` }));
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('summary', { prompt: 'Summarise {*}', cache_duration: 3600 }),
      ai('advice', { prompt: 'Advise {summary}' }),
    ]);
  });

  const deny = (...names: string[]) => api.patch('/ai-settings', { denied_fields: ['ssn', ...names] });

  /** Adds a record and has its first call held; all after it is answered without the secret. */
  async function addHeld(data: Body = { name: 'Ada', salary: secret }): Promise<Body> {
    stage.simulator.script([holding('Summarise ', `Earns ${secret}`), ...answering(ANSWERS)]);
    const created = await addRecord(api, pipelineId, data);
    await stage.simulator.waitForRequests(1);
    return created;
  }

  it('is purged from every prompt, answer and cached result made from it, in every pipeline', async () => {
    await addSettled(api, pipelineId, { name: 'Ada', salary: secret });
    const other = await addPipeline(
      api,
      [plain('net_salary'), ai('about', { prompt: 'About {net_salary}' })],
      'Other',
    );
    await addSettled(api, other, { net_salary: secret });
    const before = await tablesHolding(stage.database, secret);
    expect(before).toEqual(
      expect.arrayContaining(['ai_executions', 'ai_result_cache', 'ai_values', 'records']),
    );
    await deny('Salary');
    // What was generated stays on the record, where people have read it.
    expect(await tablesHolding(stage.database, secret)).toEqual(['ai_values', 'records']);
  });

  it('is kept by no call in flight, which is made again without it', async () => {
    const created = await addHeld();
    await deny('salary');
    stage.simulator.release();
    const job = await api.job(created.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({ outcome: 'discarded', error_code: 'inputs_withdrawn', output_data: {} });
    const record = await api.settled(created.id);
    expect(record.data).toMatchObject({ summary: 'Earns well', advice: 'Call' });
    expect(prompts(stage.simulator).slice(0, 2)).toEqual([
      `Summarise Name: Ada\nSalary: ${secret}`,
      'Summarise Name: Ada',
    ]);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
    const rows = await ledgerOf(stage.database, api.tenantId);
    const paid = rows.filter(({ entry, field }) => entry === 'settled' && field === 'summary');
    expect(paid).toHaveLength(2);
  });

  it('is kept by no draft that is tried, though its pipeline has no AI field', async () => {
    const bare = await addPipeline(api, [plain('salary')], 'Bare');
    const { id } = await addRecord(api, bare, { salary: secret });
    stage.simulator.script([holding('Try ', `Knows ${secret}`)]);
    const aiConfig = { model: 'gpt-4o-mini', prompt: 'Try {salary}' };
    const tried = api.post('/ai-fields/try', { pipeline_id: bare, record_id: id, ai_config: aiConfig });
    await stage.simulator.waitForRequests(1);
    await deny('salary');
    stage.simulator.release();
    expect((await tried).value).toBe(`Knows ${secret}`);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
  });

  it('is purged from what was made of it as the label of a relation', async () => {
    const companies = await addPipeline(api, [plain('company'), plain('town')], 'Companies');
    const leads = await addPipeline(api, [
      plain('works_at', { field_type: 'relation', options: { pipeline_id: companies } }),
      ai('about', { prompt: 'Summarise {works_at}' }),
    ]);
    const { id } = await addRecord(api, companies, { company: secret, town: 'Ulm' });
    await addSettled(api, leads, { works_at: id });
    expect(await tablesHolding(stage.database, secret)).toContain('ai_executions');
    await deny('company');
    expect(await tablesHolding(stage.database, secret)).toEqual(['ai_values', 'records']);
  });

  it('takes nothing of other fields along, nor does one that leaves the list', async () => {
    await deny('salary');
    const created = await addHeld({ name: secret });
    await deny('age');
    stage.simulator.release();
    const job = await api.job(created.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({ outcome: 'generated' });
    expect(job.executions[0].request.messages[0].content).toContain(secret);
  });
});
