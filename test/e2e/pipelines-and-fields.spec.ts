import type { Api } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('pipelines and their fields', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
  });

  const slugsOf = async (pipelineId: string): Promise<string[]> =>
    (await api.get(`/pipelines/${pipelineId}`)).fields.map(({ slug }: { slug: string }) => slug);

  it('are added with slugs made of their names, changed and listed', async () => {
    const fields = [
      { name: 'Größe (cm)', field_type: 'number' },
      { name: '2nd name', field_type: 'text' },
    ];
    const pipeline = await api.post('/pipelines', { name: 'Über Leads', fields });
    expect(pipeline).toMatchObject({ slug: 'uber_leads', name: 'Über Leads' });
    expect(pipeline.fields.map(({ slug }: { slug: string }) => slug)).toEqual(['grosse_cm', 'f_2nd_name']);
    const second = await api.post('/pipelines', { name: 'Über Leads' });
    expect(second.slug).toBe('uber_leads_2');
    const renamed = await api.patch(`/pipelines/${second.id}`, { name: 'Others', slug: 'others' });
    expect(renamed).toMatchObject({ name: 'Others', slug: 'others' });
    const taken = await api.call('PATCH', `/pipelines/${second.id}`, { slug: 'uber_leads' });
    expect([taken.status, taken.body.code]).toEqual([409, 'slug_taken']);
    const first = await api.get('/pipelines?limit=1');
    const last = await api.get(`/pipelines?limit=1&cursor=${first.next_cursor}`);
    expect([first.items[0].id, last.items[0].id, last.next_cursor]).toEqual([pipeline.id, second.id, null]);
  });

  it('are refused with everything that is wrong, and nothing is stored', async () => {
    const { status, body } = await api.call('POST', '/pipelines', {
      name: 'Wrong',
      fields: [
        { name: 'A', slug: 'a', field_type: 'text' },
        { name: 'B', slug: 'a', field_type: 'select' },
        { name: 'C', slug: 'c', field_type: 'text', ai_config: { prompt: 'x' } },
        { name: 'D', slug: 'd', field_type: 'ai_generated', required: true, ai_config: { prompt: 'x' } },
        { name: 'E', slug: 'e', field_type: 'relation', options: { pipeline_id: 'nowhere', choices: [] } },
      ],
    });
    expect([status, body.code]).toEqual([422, 'invalid_input']);
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual([
      'fields.1.slug',
      'fields.1.options.choices',
      'fields.2.ai_config',
      'fields.3.required',
      'fields.4.options.choices',
      'fields.4.options.pipeline_id',
    ]);
    expect((await api.get('/pipelines')).items).toEqual([]);
  });

  it('a field is added, changed within its type, and removed with its values', async () => {
    const pipelineId = await addPipeline(api, [plain('name'), plain('old')]);
    const record = await addRecord(api, pipelineId, { name: 'Ada', old: 'forget me' });
    const base = `/pipelines/${pipelineId}/fields`;
    const added = await api.post(base, plain('size', { field_type: 'number' }));
    expect(added).toMatchObject({ slug: 'size', field_type: 'number', required: false, sensitive: false });
    expect((await api.patch(`/records/${record.id}`, { data: { size: 3 } })).data.size).toBe(3);

    const money = await api.patch(`${base}/size`, { field_type: 'currency', options: { currency: 'EUR' } });
    expect(money).toMatchObject({ field_type: 'currency', options: { currency: 'EUR' } });
    const wrong = await api.call('PATCH', `${base}/size`, { field_type: 'boolean', slug: 'other' });
    expect(wrong.body.errors).toEqual([
      { path: 'field_type', message: expect.stringContaining('it can become number') },
      { path: 'slug', message: expect.stringContaining('A slug never changes') },
    ]);

    expect((await api.call('DELETE', `${base}/old`)).status).toBe(204);
    expect(await slugsOf(pipelineId)).toEqual(['name', 'size']);
    const [row] = await stage.database.sql<{ data: object }>('SELECT data FROM records WHERE id = $1', [
      record.id,
    ]);
    expect(row?.data).toEqual({ name: 'Ada', size: 3 });
    await api.post(base, plain('old'));
    expect((await api.get(`/records/${record.id}`)).data).toEqual({ name: 'Ada', size: 3 });
  });

  it('a field that a prompt names is not removed, and the prompts are named', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('city'),
      ai('summary', { prompt: 'Of {name}' }),
      ai('pitch', { prompt: 'Sell to {summary}', system_message: 'In {name}' }),
    ]);
    const refused = await api.call('DELETE', `/pipelines/${pipelineId}/fields/name`);
    expect([refused.status, refused.body.code]).toEqual([409, 'field_in_use']);
    expect(refused.body.detail).toBe(
      'The field "name" cannot be deleted: the AI fields "Summary", "Pitch" reference it. Change their prompts first.',
    );
    expect(await slugsOf(pipelineId)).toEqual(['name', 'city', 'summary', 'pitch']);
    expect((await api.call('DELETE', `/pipelines/${pipelineId}/fields/city`)).status).toBe(204);
    expect((await api.call('DELETE', `/pipelines/${pipelineId}/fields/pitch`)).status).toBe(204);
    expect((await api.call('DELETE', `/pipelines/${pipelineId}/fields/summary`)).status).toBe(204);
    expect((await api.call('DELETE', `/pipelines/${pipelineId}/fields/name`)).status).toBe(204);
  });

  it('a pipeline goes with its records, values and configurations, and its jobs end', async () => {
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    await addSettled(api, pipelineId, { name: 'Ada' });
    stage.simulator.script([{ action: { type: 'hold' } }]);
    stage.simulator.clearRequests();
    const inFlight = await addRecord(api, pipelineId, { name: 'Grace' });
    await stage.simulator.waitForRequests(1);
    expect((await api.call('DELETE', `/pipelines/${pipelineId}`)).status).toBe(204);
    stage.simulator.release();
    const job = await api.job(inFlight.ai_processing.triggered_jobs[0].job_id);
    expect(job.status).toBe('cancelled');

    expect((await api.call('GET', `/pipelines/${pipelineId}`)).status).toBe(404);
    for (const table of [
      'pipelines',
      'pipeline_fields',
      'records',
      'ai_values',
      'ai_field_configs',
      'ai_budget_limits',
    ]) {
      const rows = await stage.database.sql(`SELECT FROM ${table} WHERE tenant_id = $1`, [api.tenantId]);
      expect([table, rows.length]).toEqual([table, 0]);
    }
    // What the calls cost is still accounted for.
    const ledger = await stage.database.sql<{ entry: string }>(
      'SELECT entry FROM ai_ledger WHERE tenant_id = $1 AND cost_nano > 0',
      [api.tenantId],
    );
    expect(ledger).toEqual([{ entry: 'settled' }, { entry: 'settled' }]);
  });
});
