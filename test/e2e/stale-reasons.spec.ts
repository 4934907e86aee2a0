import type { Api } from '../support/api.js';
import {
  addPipeline,
  addRecord,
  addSettled,
  ai,
  configure,
  edit,
  generate,
  plain,
} from '../support/pipelines.js';
import { answering, holding } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const SCRIPT = answering({
  'Pitch ': 'The pitch',
  'Summarise Ada': 'About Ada',
  'Summarise Bob': 'About Bob',
});

describe('a stale value says why', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    // Two jobs at a time: a third one waits.
    stage = await setStage({ AI_TENANT_WINDOW: '2' });
    stage.simulator.script(SCRIPT);
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  async function summarised(config: Record<string, unknown> = {}) {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', ...config }),
      ai('pitch', { prompt: 'Pitch {summary}', auto_regenerate: false }),
    ]);
    return { pipelineId, record: await addSettled(api, pipelineId, { name: 'Ada' }) };
  }

  /** Rows of AI values as they lie in the table: a rewritten one lies elsewhere, or was written by another transaction. */
  function valueRows(): Promise<object[]> {
    return stage.database.sql(
      'SELECT ctid::text, xmin::text, v::text FROM ai_values v WHERE tenant_id = $1 ORDER BY field',
      [api.tenantId],
    );
  }

  it('inputs: an edit of what it reads, where it does not regenerate by itself', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
    ]);
    const created = await addRecord(api, pipelineId, { name: 'Ada' });
    expect(created.ai_processing).toBeUndefined();
    expect(created.ai.summary).toEqual({ state: 'empty' });
    await generate(api, created.id, 'summary');

    const before = await valueRows();
    const edited = await edit(api, created.id, { name: 'Bob' });
    expect(edited.ai.summary).toMatchObject({ state: 'stale', stale_reasons: ['inputs'] });
    expect(edited.data.summary).toBe('About Ada');
    expect(await valueRows()).toEqual(before);
    const back = await edit(api, created.id, { name: 'Ada' });
    expect(back.ai.summary.state).toBe('ready');
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('inputs: another currency, label or name of the pipeline; not a field that is new and empty', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('worth', { field_type: 'currency', options: { currency: 'EUR' } }),
      ai('summary', { prompt: 'Summarise {name} of {pipeline_name}: {worth}' }),
      ai('list', { prompt: 'Summarise {*}' }),
    ]);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', worth: 5 });
    const reasons = async () => {
      const { ai: values } = await api.get(`/records/${id}`);
      return [values.summary.stale_reasons, values.list.stale_reasons];
    };
    expect(await reasons()).toEqual([undefined, undefined]);

    await api.patch(`/pipelines/${pipelineId}/fields/worth`, { options: { currency: 'USD' } });
    expect(await reasons()).toEqual([['inputs'], ['inputs']]);
    await api.patch(`/pipelines/${pipelineId}/fields/worth`, { options: { currency: 'EUR' } });
    await api.patch(`/pipelines/${pipelineId}/fields/worth`, { name: 'Value' });
    expect(await reasons()).toEqual([undefined, ['inputs']]);
    await api.patch(`/pipelines/${pipelineId}/fields/worth`, { name: 'Worth' });
    await api.patch(`/pipelines/${pipelineId}`, { name: 'Customers' });
    expect(await reasons()).toEqual([['inputs'], undefined]);
    await generate(api, id, 'summary');
    await api.post(`/pipelines/${pipelineId}/fields`, plain('note'));
    expect(await reasons()).toEqual([undefined, undefined]);
    const calls = stage.simulator.requests().length;
    await edit(api, id, { note: 'new' });
    expect(stage.simulator.requests()).toHaveLength(calls + 1);
  });

  it('not for a condition that holds no more, as long as the prompt would be the same', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('stage'),
      ai('summary', { prompt: 'Summarise {name}', condition: '{{eq stage "open"}}' }),
    ]);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', stage: 'open' });
    expect((await edit(api, id, { stage: 'won' })).ai.summary.state).toBe('ready');
    expect((await edit(api, id, { name: 'Bob' })).ai.summary).toMatchObject({
      state: 'stale',
      stale_reasons: ['inputs'],
    });
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('config: another model, temperature or output bound, with no row of a value written', async () => {
    const { pipelineId, record } = await summarised();
    const before = await valueRows();
    expect(before).toHaveLength(1);
    const prompt = 'Summarise {name}';
    for (const change of [{ model: 'gpt-4o' }, { temperature: 0.9 }, { max_tokens: 77 }]) {
      await configure(api, pipelineId, 'summary', { prompt, ...change });
      const { ai: values } = await api.get(`/records/${record.id}`);
      expect(values.summary).toMatchObject({ state: 'stale', stale_reasons: ['config'] });
    }
    await configure(api, pipelineId, 'summary', { prompt });
    expect((await api.get(`/records/${record.id}`)).ai.summary.state).toBe('ready');
    expect(await valueRows()).toEqual(before);
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it("config: the tenant's default model, for a field that names none", async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      { ...ai('summary', {}), ai_config: { prompt: 'Summarise {name}' } },
    ]);
    await api.patch('/ai-settings', { default_model: 'gpt-4o-mini' });
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    await api.patch('/ai-settings', { default_model: 'gpt-4o' });
    const { ai: values } = await api.get(`/records/${id}`);
    expect(values.summary).toMatchObject({ state: 'stale', stale_reasons: ['config'] });
  });

  it('template: another prompt or system message, with no row of a value written', async () => {
    const { pipelineId, record } = await summarised();
    const before = await valueRows();
    await configure(api, pipelineId, 'summary', { prompt: 'Please: Summarise {name}' });
    const { ai: values } = await api.get(`/records/${record.id}`);
    expect(values.summary).toMatchObject({ state: 'stale', stale_reasons: ['template'] });
    await configure(api, pipelineId, 'summary', { prompt: 'Summarise {name}', system_message: 'Be brief.' });
    const again = await api.get(`/records/${record.id}`);
    expect(again.ai.summary).toMatchObject({ state: 'stale', stale_reasons: ['template'] });
    expect(await valueRows()).toEqual(before);

    expect(await generate(api, record.id, 'summary')).toMatchObject({ outcome: 'generated' });
    expect((await api.get(`/records/${record.id}`)).ai.summary.state).toBe('ready');
  });

  it('upstream: a stale value among those it reads; and inputs once that one is new', async () => {
    const { pipelineId, record } = await summarised();
    await generate(api, record.id, 'pitch');
    await configure(api, pipelineId, 'summary', { prompt: 'Summarise {name}', temperature: 0.9 });
    const stale = await api.get(`/records/${record.id}`);
    expect(stale.ai.summary.stale_reasons).toEqual(['config']);
    expect(stale.ai.pitch).toMatchObject({ state: 'stale', stale_reasons: ['upstream'] });

    const edited = await edit(api, record.id, { name: 'Bob' });
    expect(edited.data.summary).toBe('About Bob');
    expect(edited.ai.summary.state).toBe('ready');
    expect(edited.ai.pitch).toMatchObject({ state: 'stale', stale_reasons: ['inputs'] });
  });

  it('upstream: work to be done on a value that it reads, however far up; ready again where that changed nothing', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false, cache_duration: 0 }),
      ai('pitch', { prompt: 'Pitch {summary}', auto_regenerate: false }),
      ai('subject', { prompt: 'Pitch of {pitch}', auto_regenerate: false }),
      ai('motto', { prompt: 'Pitch for {name}', auto_regenerate: false }),
    ]);
    const slugs = ['summary', 'pitch', 'subject', 'motto'];
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
      for (const slug of slugs) await generate(api, id, slug);
      ids.push(id);
    }
    const stateOf = async (id: string) => {
      const { ai: values } = await api.get(`/records/${id}`);
      return slugs.map((slug) => `${values[slug].state} ${(values[slug].stale_reasons ?? []).join()}`.trim());
    };
    for (const id of ids) expect(await stateOf(id)).toEqual(['ready', 'ready', 'ready', 'ready']);

    stage.simulator.clearRequests();
    stage.simulator.script([holding('Summarise Ada', 'About Ada'), holding('Summarise Ada', 'About Ada')]);
    const jobs: string[] = [];
    for (const id of ids) {
      const { job_id: job } = await api.post(`/records/${id}/ai/summary/generate`, { force: true });
      jobs.push(job);
    }
    await stage.simulator.waitForRequests(2);
    const [generating, , queued] = ids;
    const waiting = ['stale upstream', 'stale upstream', 'ready'];
    expect(await stateOf(generating!)).toEqual(['generating', ...waiting]);
    expect(await stateOf(queued!)).toEqual(['queued', ...waiting]);
    const counts = await api.get(`/pipelines/${pipelineId}/ai/states`);
    expect(counts).toMatchObject({ pitch: { stale: 3 }, subject: { stale: 3 }, motto: { ready: 3 } });

    stage.simulator.script(SCRIPT);
    stage.simulator.release();
    for (const job of jobs) await api.job(job);
    for (const id of ids) expect(await stateOf(id)).toEqual(['ready', 'ready', 'ready', 'ready']);
  });
});
