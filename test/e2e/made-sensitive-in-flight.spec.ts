import { randomUUID } from 'node:crypto';
import type { Api, Body } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, ai, configure, generate, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a call in flight that the configuration of now says nothing of', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordId: string;
  /** The value of the field; another one in each test. */
  let secret: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    secret = `secret-${randomUUID()}`;
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('sum', { prompt: 'Sum {salary}', auto_regenerate: false, cache_duration: 3600 }),
      ai('advice', { prompt: 'Advise {sum}', auto_regenerate: false }),
    ]);
    recordId = (await addRecord(api, pipelineId, { name: 'Ada', salary: secret })).id;
  });

  function script(held: string, after: Record<string, string> = {}): void {
    stage.simulator.clearRequests();
    stage.simulator.script([holding(held, `Knows ${secret}`), ...answering(after)]);
  }

  /** Starts a generation whose call is held. @returns its job. */
  async function hold(slug: string): Promise<string> {
    const { job_id: id } = await api.post(`/records/${recordId}/ai/${slug}/generate`, { force: true });
    await stage.simulator.waitForRequests(1);
    return id as string;
  }

  const readsNameNow = () =>
    configure(api, pipelineId, 'sum', { prompt: 'Sum {name}', auto_regenerate: false });
  const mark = () => api.patch(`/pipelines/${pipelineId}/fields/salary`, { sensitive: true });
  const remove = () => api.ok('DELETE', `/pipelines/${pipelineId}/fields/salary`);

  async function expectPaid(job: Body): Promise<void> {
    expect(job.cost_usd).toBeGreaterThan(0);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.filter(({ entry }) => entry === 'settled')).toHaveLength(stage.simulator.requests().length);
  }

  it.each([
    ['marked sensitive', mark, ['records']],
    ['removed', remove, []],
  ])('leaves nothing of a field that its prompt no longer names and that is %s', async (_, end, left) => {
    script('Sum ', { 'Sum ': 'Fine' });
    const id = await hold('sum');
    await readsNameNow();
    await end();
    stage.simulator.release();
    const job = await api.job(id);
    expect(job).toMatchObject({ outcome: 'discarded', error_code: 'config_changed' });
    expect((await api.settled(recordId)).data.sum).toBe('Fine');
    expect(await tablesHolding(stage.database, secret)).toEqual(left);
    await expectPaid(job);
  });

  it('keeps nothing of a field that it read through a value of before', async () => {
    stage.simulator.script(answering({ 'Sum ': `Earns ${secret}` }));
    await generate(api, recordId, 'sum', true);
    await readsNameNow();
    script('Advise ');
    const id = await hold('advice');
    await mark();
    stage.simulator.release();
    const job = await api.job(id);
    expect(job).toMatchObject({ outcome: 'discarded', error_code: 'inputs_withdrawn', output_data: {} });
    // What the value was made from is excluded now, so nothing is asked until it is made anew.
    const { ai: values } = await api.settled(recordId);
    expect(values.advice).toMatchObject({ state: 'failed', error: { code: 'excluded_reference' } });
    expect(prompts(stage.simulator)).toEqual([`Advise Earns ${secret}`]);
    // The value of before stays on the record, where people have read it.
    expect(await tablesHolding(stage.database, secret)).toEqual(['ai_values', 'records']);
  });

  it('is not followed by another that sends the field again', async () => {
    script('Sum ', { 'Sum ': '3' });
    const number = { output_type: 'number', auto_regenerate: false };
    await configure(api, pipelineId, 'sum', { prompt: 'Sum {salary}', ...number });
    const id = await hold('sum');
    await configure(api, pipelineId, 'sum', { prompt: 'Sum {name}', ...number });
    await mark();
    stage.simulator.release();
    const job = await api.job(id);
    expect(job).toMatchObject({ outcome: 'discarded', error_code: 'inputs_withdrawn' });
    expect((await api.settled(recordId)).data.sum).toBe(3);
    expect(prompts(stage.simulator)).toEqual([`Sum ${secret}`, 'Sum Ada']);
    expect(await tablesHolding(stage.database, secret)).toEqual(['records']);
  });

  it.each([
    ['marked sensitive', mark, ['records']],
    ['removed', remove, []],
  ])('leaves nothing of a field that a draft was tried on and that is %s', async (_, end, left) => {
    await readsNameNow();
    script('Try ');
    const aiConfig = { model: 'gpt-4o-mini', prompt: 'Try {salary}' };
    const draft = { pipeline_id: pipelineId, record_id: recordId, ai_config: aiConfig };
    const tried = api.post('/ai-fields/try', draft);
    await stage.simulator.waitForRequests(1);
    await end();
    stage.simulator.release();
    const result = await tried;
    expect(result.value).toBe(`Knows ${secret}`);
    expect(await tablesHolding(stage.database, secret)).toEqual(left);
    await expectPaid(result);
  });

  it('keeps what it made from other fields, and from the field once it is no longer sensitive', async () => {
    await readsNameNow();
    script('Sum Ada');
    const id = await hold('sum');
    await mark();
    stage.simulator.release();
    expect(await api.job(id)).toMatchObject({ outcome: 'generated' });

    await api.patch(`/pipelines/${pipelineId}/fields/salary`, { sensitive: false });
    await configure(api, pipelineId, 'sum', { prompt: 'Sum {salary}', auto_regenerate: false });
    stage.simulator.script(answering({ 'Sum ': 'Earns well' }));
    const job = await generate(api, recordId, 'sum', true);
    expect(job).toMatchObject({ outcome: 'generated' });
    expect(job.executions[0].request.messages[0].content).toBe(`Sum ${secret}`);
  });
});
