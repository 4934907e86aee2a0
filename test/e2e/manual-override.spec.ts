import type { Api, Body } from '../support/api.js';
import { ledgerOf } from '../support/ledger.js';
import { addPipeline, addSettled, ai, edit, generate, plain } from '../support/pipelines.js';
import { answering, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a person writes over an AI value', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.script(
      answering({ 'Summarise Ada': 'About Ada', 'Summarise Bob': 'About Bob', 'Summarise Eve': 'About Eve' }),
    );
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  async function summarised(config: Record<string, unknown> = {}): Promise<{ id: string }> {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', cache_duration: 0, ...config }),
    ]);
    return addSettled(api, pipelineId, { name: 'Ada' });
  }

  it('locks the value: edits do not generate, until a reset returns to the generated value', async () => {
    const { id } = await summarised();
    const written = await edit(api, id, { summary: 'My words' });
    expect(written.data.summary).toBe('My words');
    expect(written.ai.summary).toMatchObject({ state: 'overridden', overridden_value: 'About Ada' });
    expect(written.ai.summary.stale_reasons).toBeUndefined();

    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data.summary).toBe('My words');
    expect(edited.ai.summary.state).toBe('overridden');
    const refused = await api.call('POST', `/records/${id}/ai/summary/generate`, { force: true });
    expect(refused).toMatchObject({ status: 409, body: { code: 'overridden' } });
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada']);

    const reset = await api.post(`/records/${id}/ai/summary/reset`);
    expect(reset.value).toBe('About Ada');
    expect(reset.ai.stale_reasons).toEqual(['inputs']);
    const fresh = await api.settled(id);
    expect(fresh.data.summary).toBe('About Bob');
    expect(fresh.ai.summary.state).toBe('ready');
    expect(fresh.ai.summary.overridden_value).toBeUndefined();
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada', 'Summarise Bob']);

    const again = await api.call('POST', `/records/${id}/ai/summary/reset`);
    expect(again).toMatchObject({ status: 409, body: { code: 'not_overridden' } });
  });

  it('returns to the generated value without a call where nothing changed meanwhile', async () => {
    const { id } = await summarised();
    await edit(api, id, { summary: 'My words' });
    const reset = await api.post(`/records/${id}/ai/summary/reset`);
    expect(reset).toMatchObject({ value: 'About Ada', ai: { state: 'ready' } });
    const record = await api.settled(id);
    expect(record.data.summary).toBe('About Ada');
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('locks an emptied value too', async () => {
    const { id } = await summarised();
    const emptied = await edit(api, id, { summary: null });
    expect(emptied.data.summary).toBeUndefined();
    expect(emptied.ai.summary.state).toBe('overridden');
    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data.summary).toBeUndefined();
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('lets the next edit generate over the value with on_manual_edit: overwrite', async () => {
    const { id } = await summarised({ on_manual_edit: 'overwrite' });
    const written = await edit(api, id, { summary: 'My words' });
    expect(written.data.summary).toBe('My words');
    expect(written.ai.summary.state).toBe('overridden');
    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data.summary).toBe('About Bob');
    expect(edited.ai.summary.state).toBe('ready');
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada', 'Summarise Bob']);
  });

  it('keeps every generated value, newest first, and restores one as an override', async () => {
    const { id } = await summarised();
    await edit(api, id, { name: 'Bob' });
    await edit(api, id, { name: 'Eve' });
    const { items } = await api.get(`/records/${id}/ai/summary/history`);
    expect(items.map(({ value }: { value: string }) => value)).toEqual([
      'About Eve',
      'About Bob',
      'About Ada',
    ]);
    expect(items[1]).toMatchObject({
      model: 'gpt-4o-mini',
      cause: { origin: 'user', principal_id: api.userId },
    });
    expect(items[1].cost_usd).toBeGreaterThan(0);

    const restored = await api.post(`/records/${id}/ai/summary/restore`, {
      execution_id: items[1].execution_id,
    });
    expect(restored).toMatchObject({
      value: 'About Bob',
      ai: { state: 'overridden', overridden_value: 'About Eve' },
    });
    const edited = await edit(api, id, { name: 'Ada' });
    expect(edited.data.summary).toBe('About Bob');
    expect(stage.simulator.requests()).toHaveLength(3);
    const after = await api.get(`/records/${id}/ai/summary/history`);
    expect(after.items).toHaveLength(3);
  });

  it('tells the history in pages', async () => {
    const { id } = await summarised();
    for (const name of ['Bob', 'Eve', 'Bob', 'Ada']) await edit(api, id, { name });
    const path = `/records/${id}/ai/summary/history`;
    const whole = await api.get(path);
    expect(whole.items).toHaveLength(5);
    expect(whole.next_cursor).toBeNull();
    // Values of one moment: their ids tell which comes first.
    await stage.database.sql(
      'UPDATE ai_executions SET created_at = $2 WHERE tenant_id = $1 AND id = ANY ($3)',
      [
        api.tenantId,
        whole.items[2].created_at,
        whole.items.slice(1, 4).map((item: Body) => item.execution_id),
      ],
    );
    const { items } = await api.get(path);
    const paged: Body[] = [];
    let page: Body = { next_cursor: '' };
    for (let n = 0; page.next_cursor !== null; n++) {
      page = await api.get(`${path}?limit=2${n === 0 ? '' : `&cursor=${page.next_cursor}`}`);
      paged.push(...page.items);
    }
    expect(paged).toEqual(items);

    const other = await summarised();
    const foreign = (await api.get(`/records/${other.id}/ai/summary/history`)).items[0].execution_id;
    for (const query of ['limit=0', 'limit=201', 'limit=1.5', 'cursor=x', `cursor=${foreign}`]) {
      const { status, body } = await api.call('GET', `${path}?${query}`);
      expect([query, status, body.errors[0].path]).toEqual([query, 422, query.split('=')[0]]);
    }
  });

  it('restores nothing that is not a value of this field of this record', async () => {
    const first = await summarised();
    const other = await summarised();
    const { ai: of } = await api.get(`/records/${other.id}`);
    for (const execution_id of [of.summary.execution_id, '01890000-0000-7000-8000-000000000000', 'x']) {
      const answer = await api.call('POST', `/records/${first.id}/ai/summary/restore`, { execution_id });
      expect(answer.status).toBe(404);
    }
    expect((await api.get(`/records/${first.id}`)).ai.summary.state).toBe('ready');
  });

  it('keeps feedback on the current value and drops it with the value', async () => {
    const { id } = await summarised();
    const path = `/records/${id}/ai/summary/feedback`;
    await api.post(path, { feedback: 'thumbs_down', comment: 'too short' });
    expect((await api.get(`/records/${id}`)).ai.summary.feedback).toBe('thumbs_down');
    const stored = await stage.database.sql(
      'SELECT feedback, feedback_comment FROM ai_values WHERE tenant_id = $1',
      [api.tenantId],
    );
    expect(stored).toEqual([{ feedback: 'thumbs_down', feedback_comment: 'too short' }]);

    await api.post(path, { feedback: 'none' });
    expect((await api.get(`/records/${id}`)).ai.summary.feedback).toBeUndefined();
    await api.post(path, { feedback: 'thumbs_up' });
    expect((await edit(api, id, { name: 'Bob' })).ai.summary.feedback).toBeUndefined();
    expect(await api.call('POST', path, { feedback: 'splendid' })).toMatchObject({ status: 422 });
  });

  it('lets a manual generation of an unchanged value cost nothing, and a forced one cost a call', async () => {
    const { id } = await summarised();
    expect(await generate(api, id, 'summary')).toMatchObject({ outcome: 'unchanged', cost_usd: 0 });
    expect(stage.simulator.requests()).toHaveLength(1);
    expect(await generate(api, id, 'summary', true)).toMatchObject({ outcome: 'generated' });
    expect(stage.simulator.requests()).toHaveLength(2);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.map(({ entry, outcome }) => `${entry} ${outcome}`)).toEqual([
      'settled answered',
      'free unchanged',
      'settled answered',
    ]);
    expect(rows[1]).toMatchObject({ cost: 0, hold: 0, tokens: 0, field: 'summary' });
  });
});
