import type { Api } from '../support/api.js';
import { addPipeline, addSettled, ai, generate, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** Every endpoint on its own is asked for another tenant's things in `every-endpoint-keeps-tenants-apart.spec.ts`. */
describe('of another tenant', () => {
  let stage: Stage;
  let api: Api;
  let other: Api;
  /** Ids of the first tenant, by what they are of. */
  let ids: Record<'pipeline' | 'record' | 'job' | 'run' | 'execution' | 'user', string>;

  beforeAll(async () => {
    stage = await setStage();
    [api, other] = [await stage.tenant('One'), await stage.tenant('Other')];
    const fields = [plain('name'), ai('summary', { prompt: 'Summarise {name}' })];
    const pipeline = await addPipeline(api, fields);
    const { id: record } = await addSettled(api, pipeline, { name: 'Ada' });
    const job = (await generate(api, record, 'summary', true)).id;
    const { run_id: run } = await api.post(`/pipelines/${pipeline}/ai/summary/generate`, { scope: 'all' });
    await api.settled(record);
    const { items: history } = await api.get(`/records/${record}/ai/summary/history`);
    const { id: user } = await api.post('/users', {
      email: `${run}@example.com`,
      password: 'correct horse',
      role: 'viewer',
    });
    ids = { pipeline, record, job, run, execution: history[0].execution_id, user };
  });

  afterAll(() => stage.close());

  it('an id in a body points to nothing', async () => {
    const mine = await addPipeline(other, [plain('name'), ai('summary', { prompt: 'Of {name}' })], 'Mine');
    const { id } = await addSettled(other, mine, { name: 'Grace' });
    const relation = {
      name: 'Link',
      slug: 'link',
      field_type: 'relation',
      options: { pipeline_id: ids.pipeline },
    };
    const linked = await other.call('POST', `/pipelines/${mine}/fields`, relation);
    expect([linked.status, linked.body.errors[0].path]).toEqual([422, 'options.pipeline_id']);
    const own = { ...relation, options: { pipeline_id: mine } };
    await other.post(`/pipelines/${mine}/fields`, own);
    const pointed = await other.call('PATCH', `/records/${id}`, { data: { link: ids.record } });
    expect([pointed.status, pointed.body.errors[0].path]).toEqual([422, 'data.link']);

    const restore = { execution_id: ids.execution };
    expect((await other.call('POST', `/records/${id}/ai/summary/restore`, restore)).status).toBe(404);
    const ai_config = { prompt: 'Of {name}' };
    const draft = { pipeline_id: mine, ai_config, record_id: ids.record };
    expect((await other.call('POST', '/ai-fields/preview', draft)).status).toBe(404);
    const bulk = await other.post('/ai-jobs/bulk_retry', { ids: [ids.job] });
    expect(bulk).toEqual({ retried: 0, skipped: [{ id: ids.job, reason: 'not_found' }] });
  });

  it('nothing is in any list, figure or setting', async () => {
    const fresh = await stage.tenant('Fresh');
    const rich = await stage.tenant('Rich');
    await rich.patch('/ai-settings', { monthly_budget_cents: 700, default_model: 'gpt-4o' });
    await rich.ok('PUT', '/provider-keys/openai', { api_key: 'sk-of-the-rich-1234' });
    await api.ok('PUT', `/budgets/field/${ids.pipeline}:summary`, { limit_cents: 50 });
    for (const path of ['/pipelines', '/ai-jobs', '/provider-keys']) {
      expect([path, await fresh.get(path)]).toEqual([path, { items: [], next_cursor: null }]);
    }
    const { items: budgets } = await fresh.get('/budgets');
    expect(budgets).toMatchObject([{ scope: 'tenant', scope_id: 'self', limit_cents: null, spent_cents: 0 }]);
    expect((await fresh.get('/users')).items.map(({ id }: { id: string }) => id)).toEqual([fresh.userId]);
    expect((await fresh.get('/ai-analytics/usage')).items).toEqual([]);
    const settings = await fresh.get('/ai-settings');
    expect(settings).toMatchObject({ monthly_budget_cents: null, default_model: 'gpt-4o-mini' });
    for (const filter of [`record_id=${ids.record}`, `pipeline_id=${ids.pipeline}`, `run_id=${ids.run}`]) {
      expect((await fresh.get(`/ai-jobs?${filter}`)).items).toEqual([]);
    }
  });

  it('no event is seen', async () => {
    const seenByOther = await other.events();
    const record = await api.post(`/pipelines/${ids.pipeline}/records`, { data: { name: 'Unseen' } });
    await api.settled(record.id);
    const pipeline = await addPipeline(other, [plain('name')], 'Events');
    const own = await other.post(`/pipelines/${pipeline}/records`, { data: { name: 'Seen' } });
    await other.until('its own event has come', async () =>
      seenByOther.events.some(({ data }) => data['record_id'] === own.id),
    );
    seenByOther.close();
    const told = JSON.stringify(seenByOther.events);
    for (const id of [record.id, ids.pipeline, api.tenantId]) expect(told).not.toContain(id);
  });
});
