import type { Api } from '../support/api.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, edit, generate, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('calls that are not made', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.script(answering({ 'Summarise Ada': 'About Ada', 'Summarise Bob': 'About Bob' }));
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  function pipelineWith(config: Record<string, unknown>): Promise<string> {
    return addPipeline(api, [
      plain('name'),
      plain('active', { field_type: 'boolean' }),
      ai('summary', { prompt: 'Summarise {name}', ...config }),
    ]);
  }

  async function outcomes(): Promise<string[]> {
    const rows = await stage.database.sql<{ outcome: string }>(
      'SELECT outcome FROM ai_jobs WHERE tenant_id = $1 ORDER BY created_at, id',
      [api.tenantId],
    );
    return rows.map(({ outcome }) => outcome);
  }

  it('generates only into an empty field with only_if_empty', async () => {
    const pipelineId = await pipelineWith({ only_if_empty: true });
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data.summary).toBe('About Ada');
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada']);
    expect(await generate(api, id, 'summary', true)).toMatchObject({ outcome: 'generated' });
    expect((await api.get(`/records/${id}`)).data.summary).toBe('About Bob');
  });

  it('takes a fallback for empty: edits, generating by hand and runs try again', async () => {
    const refused = { match: { prompt_includes: 'Ada' }, action: { type: 'error', status: 400 } } as const;
    stage.simulator.script([refused, ...answering({ 'Summarise Bob': 'About Bob' })]);
    const pipelineId = await pipelineWith({ only_if_empty: true, fallback_value: 'n/a', cache_duration: 0 });
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    expect(await generate(api, id, 'summary')).toMatchObject({ outcome: 'fallback' });
    const found = async (scope: string): Promise<number> =>
      (await api.post(`/pipelines/${pipelineId}/ai/summary/generate`, { scope, dry_run: true })).records;
    expect(await found('empty')).toBe(1);

    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data.summary).toBe('About Bob');
    expect(await found('empty')).toBe(0);
    expect(await generate(api, id, 'summary')).toMatchObject({
      outcome: 'unchanged',
      error_code: 'not_empty',
    });

    const { id: own } = await addSettled(api, pipelineId, { name: 'Ada' });
    await api.patch(`/records/${own}`, { data: { summary: 'My own words' } });
    expect(await found('empty')).toBe(0);
  });

  it('makes no call while the condition is false', async () => {
    const pipelineId = await pipelineWith({ condition: '{active}' });
    const created = await addSettled(api, pipelineId, { name: 'Ada', active: false });
    expect(created.ai.summary).toEqual({ state: 'empty' });
    expect(stage.simulator.requests()).toEqual([]);
    expect(await ledgerOf(stage.database, api.tenantId)).toEqual([]);

    const active = await edit(api, created.id, { active: true });
    expect(active.data.summary).toBe('About Ada');
    await edit(api, created.id, { active: false, name: 'Bob' });
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada']);
  });

  it('costs nothing where an edit was undone before its job ran', async () => {
    const pipelineId = await pipelineWith({ cache_duration: 0 });
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    stage.simulator.script([holding('Summarise Ada', 'About Ada')]);
    const { job_id: forced } = await api.post(`/records/${id}/ai/summary/generate`, { force: true });
    await stage.simulator.waitForRequests(2);
    await api.patch(`/records/${id}`, { data: { name: 'Bob' } });
    const back = await api.patch(`/records/${id}`, { data: { name: 'Ada' } });
    stage.simulator.release();
    await api.job(forced);

    const job = await api.job(back.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({ outcome: 'unchanged', cost_usd: 0, tokens_used: 0, executions: [] });
    expect(stage.simulator.requests()).toHaveLength(2);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.at(-1)).toEqual({
      field: 'summary',
      operation: 'field_generation',
      n: 0,
      entry: 'free',
      outcome: 'unchanged',
      cost: 0,
      hold: 0,
      tokens: 0,
    });
    expect((await api.settled(id)).ai.summary.state).toBe('ready');
  });

  it('answers the same prompt of a second record from the result cache', async () => {
    const pipelineId = await pipelineWith({ cache_duration: 3600 });
    await addSettled(api, pipelineId, { name: 'Ada' });
    const second = await addSettled(api, pipelineId, { name: 'Ada' });
    expect(second.data.summary).toBe('About Ada');
    expect(second.ai.summary).toMatchObject({ state: 'ready', cost_usd: 0, model: 'gpt-4o-mini' });
    expect(stage.simulator.requests()).toHaveLength(1);
    expect(await outcomes()).toEqual(['generated', 'cached']);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows[1]).toMatchObject({ entry: 'free', outcome: 'cached', cost: 0, tokens: 0 });

    const { items } = await api.get(`/records/${second.id}/ai/summary/history`);
    expect(items).toMatchObject([{ value: 'About Ada', cost_usd: 0, model: 'gpt-4o-mini' }]);
    expect(items[0].execution_id).toBe(second.ai.summary.execution_id);
    const { execution_id } = items[0];
    await api.patch(`/records/${second.id}`, { data: { summary: 'My own words' } });
    await api.post(`/records/${second.id}/ai/summary/restore`, { execution_id });
    expect((await api.get(`/records/${second.id}`)).data.summary).toBe('About Ada');

    const stranger = await stage.tenant();
    const theirs = await addPipeline(stranger, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', cache_duration: 3600 }),
    ]);
    await addSettled(stranger, theirs, { name: 'Ada' });
    expect(stage.simulator.requests()).toHaveLength(2);
  });

  it('takes nothing from the cache with cache_duration 0, or when forced', async () => {
    const never = await pipelineWith({ cache_duration: 0 });
    await addSettled(api, never, { name: 'Ada' });
    await addSettled(api, never, { name: 'Ada' });
    expect(await outcomes()).toEqual(['generated', 'generated']);

    const cached = await pipelineWith({ cache_duration: 3600 });
    await addSettled(api, cached, { name: 'Bob' });
    const { id } = await addSettled(api, cached, { name: 'Bob' });
    expect(stage.simulator.requests()).toHaveLength(3);
    expect(await generate(api, id, 'summary', true)).toMatchObject({ outcome: 'generated' });
    expect(stage.simulator.requests()).toHaveLength(4);
  });

  it('stores the fallback value when the job fails for good, and not as what was generated', async () => {
    stage.simulator.script([
      {
        match: { prompt_includes: 'Ada' },
        action: { type: 'error', status: 400, message: 'Cannot do that' },
      },
      ...answering({ 'Summarise Bob': 'About Bob' }),
    ]);
    const pipelineId = await pipelineWith({ fallback_value: 'No summary' });
    const created = await addRecord(api, pipelineId, { name: 'Ada' });
    const job = await api.job(created.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({
      status: 'completed',
      outcome: 'fallback',
      error_code: 'provider_invalid_request',
    });
    expect((await api.settled(created.id)).data.summary).toBe('No summary');
    const [value] = await stage.database.sql(
      'SELECT outcome, fingerprint, execution_id FROM ai_values WHERE tenant_id = $1',
      [api.tenantId],
    );
    expect(value).toEqual({ outcome: 'fallback', fingerprint: null, execution_id: null });
    const [row] = await ledgerOf(stage.database, api.tenantId);
    expect(row).toMatchObject({ entry: 'released', cost: 0 });

    stage.simulator.script(answering({ 'Summarise Ada': 'About Ada' }));
    expect(await generate(api, created.id, 'summary')).toMatchObject({ outcome: 'generated' });
    expect((await api.get(`/records/${created.id}`)).data.summary).toBe('About Ada');
  });
});
