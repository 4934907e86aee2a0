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
import { answering } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a stale value says why', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    stage.simulator.script(
      answering({ 'Pitch ': 'The pitch', 'Summarise Ada': 'About Ada', 'Summarise Bob': 'About Bob' }),
    );
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
});
