import type { Api, Body } from '../support/api.js';
import { SALARY, SECRET, setPay, type Pay } from '../support/pay.js';
import { addPipeline, addSettled, ai, generate, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a field that somebody may not see', () => {
  let stage: Stage;
  let pay: Pay;
  let record: string;
  let execution: string;

  beforeAll(async () => {
    stage = await setStage();
    pay = await setPay(stage);
    record = (await addSettled(pay.owner, pay.pipelineId, { name: 'Ada', salary: SALARY })).id;
    execution = (await pay.owner.get(`/records/${record}/ai/pay/history`)).items[0].execution_id;
  });

  afterAll(async () => {
    pay.close();
    await stage.close();
  });

  const base = () => `/pipelines/${pay.pipelineId}`;

  async function expectRefused(api: Api, method: string, path: string, body?: unknown): Promise<void> {
    const headers: Record<string, string> = typeof body === 'string' ? { 'content-type': 'text/csv' } : {};
    const answer = await api.call(method, path, body, headers);
    expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 403, 'field_not_visible']);
    expect(JSON.stringify(answer.body).replaceAll(path, '')).not.toContain(SECRET);
  }

  it('is not written by them, nor read by a filter, nor acted on; and nothing changes', async () => {
    const before = await pay.owner.get(`/records/${record}`);
    const requests: [string, string, unknown?][] = [
      ['PATCH', `/records/${record}`, { data: { salary: SALARY } }],
      ['PATCH', `/records/${record}`, { data: { name: 'Grace', pay: 'mine' } }],
      ['POST', `${base()}/records`, { data: { name: 'Grace', salary: '1' } }],
      ['POST', `${base()}/records`, { data: { name: 'Grace', advice: 'mine' } }],
      ['POST', `${base()}/import`, 'name,salary\nGrace,1'],
      ['POST', `${base()}/import`, 'name,Pay\nGrace,mine'],
      ['GET', `${base()}/records?filter[salary]=${SALARY}`],
      ['GET', `${base()}/records?filter[advice]=advice-${SECRET}`],
      ['POST', `${base()}/ai/hello/generate`, { scope: 'all', filter: { salary: SALARY } }],
      ['POST', `${base()}/ai/hello/generate`, { scope: 'all', filter: { pay: 'x' }, dry_run: true }],
      ['POST', `${base()}/ai/pay/generate`, { scope: 'all' }],
      ['POST', `${base()}/ai/pay/generate`, { scope: 'all', dry_run: true }],
      // Its value may be shown, but not the size of what goes into it.
      ['POST', `${base()}/ai/band/generate`, { scope: 'all', dry_run: true }],
      ['POST', `/records/${record}/ai/pay/generate`, {}],
      ['POST', `/records/${record}/ai/pay/stop`, {}],
      ['POST', `/records/${record}/ai/all/reset`, {}],
      ['POST', `/records/${record}/ai/pay/restore`, { execution_id: execution }],
      ['POST', `/records/${record}/ai/pay/feedback`, { feedback: 'thumbs_up' }],
      ['GET', `/records/${record}/ai/pay/history`],
    ];
    for (const [method, path, body] of requests) await expectRefused(pay.editor, method, path, body);
    expect(await pay.owner.get(`/records/${record}`)).toEqual(before);
    expect((await pay.owner.get(`${base()}/records`)).items).toHaveLength(1);
  });

  it('hinders nothing else: other fields are saved, filtered by, imported and generated', async () => {
    await pay.editor.patch(`/records/${record}`, { data: { name: 'Ada', hello: 'Moin' } });
    const { items } = await pay.editor.get(`${base()}/records?filter[hello]=Moin&filter[band]=band-top`);
    expect(items.map(({ id }: Body) => id)).toEqual([record]);
    await pay.editor.post(`/records/${record}/ai/hello/reset`);
    await pay.owner.settled(record);
    const csv = { 'content-type': 'text/csv' };
    const imported = await pay.editor.call('POST', `${base()}/import`, 'name\nGrace', csv);
    expect(imported.body).toMatchObject({ imported: 1, rejected_count: 0 });
    const run = { scope: 'all', filter: { name: 'Ada' } };
    expect(await pay.editor.post(`${base()}/ai/band/generate`, run)).toMatchObject({ queued: 1 });
    await pay.owner.settled(record);
    const estimate = await pay.admin.post(`${base()}/ai/band/generate`, { scope: 'all', dry_run: true });
    expect(estimate).toMatchObject({ records: 1, skipped: 1 });
  });

  it('is not required of them', async () => {
    const needed = plain('secret', { required: true, visible_to: ['admin'] });
    const pipeline = await addPipeline(pay.owner, [plain('name'), needed], 'Required');
    const { status } = await pay.admin.call('POST', `/pipelines/${pipeline}/records`, {
      data: { name: 'A' },
    });
    expect(status).toBe(422);
    await pay.editor.post(`/pipelines/${pipeline}/records`, { data: { name: 'A' } });
    const csv = { 'content-type': 'text/csv' };
    const imported = await pay.editor.call('POST', `/pipelines/${pipeline}/import`, 'name\nB', csv);
    expect(imported.body).toMatchObject({ imported: 1 });
  });

  it('never labels a record that others point to', async () => {
    const code = plain('code', { visible_to: ['admin'] });
    const target = await addPipeline(pay.owner, [code, plain('title')], 'Target');
    const to = plain('to', { field_type: 'relation', options: { pipeline_id: target } });
    const from = await addPipeline(pay.owner, [to, ai('about', { prompt: 'About: {to}' })], 'From');
    const { id } = await pay.owner.post(`/pipelines/${target}/records`, {
      data: { code: SALARY, title: 'Title' },
    });
    stage.simulator.clearRequests();
    await addSettled(pay.owner, from, { to: id });
    expect(JSON.stringify(stage.simulator.requests())).toContain('About: Title');
  });

  describe('even by an admin', () => {
    let pipeline: string;
    let lead: string;

    beforeAll(async () => {
      const wage = plain('wage', { visible_to: ['editor'] });
      const fields = [
        plain('name'),
        wage,
        ai('made', { prompt: 'Pay: {wage}', auto_regenerate: false }),
        { ...ai('told', { prompt: 'Hello: {made}', auto_regenerate: false }), visible_to: ['admin'] },
        ai('open', { prompt: 'Hello: {name}' }),
      ];
      pipeline = await addPipeline(pay.owner, fields, 'Secrets');
      lead = (await addSettled(pay.owner, pipeline, { name: 'Ada', wage: SALARY })).id;
      await generate(pay.owner, lead, 'made', true);
    });

    it('is in no preview and no try on a record', async () => {
      const draft = (prompt: string, record_id?: string) => ({
        pipeline_id: pipeline,
        record_id,
        ai_config: { model: 'gpt-4o-mini', prompt, include_ai_fields: true },
      });
      for (const way of ['preview', 'try']) {
        for (const prompt of ['See {wage}', 'See {made}', 'See {*}']) {
          await expectRefused(pay.admin, 'POST', `/ai-fields/${way}`, draft(prompt, lead));
        }
        await pay.admin.post(`/ai-fields/${way}`, draft('See {name}', lead));
        await pay.owner.post(`/ai-fields/${way}`, draft('See {wage}', lead));
      }
      const { prompt } = await pay.admin.post('/ai-fields/preview', draft('See {wage}'));
      expect(prompt).toBe('See ');
    });

    it('is not in the jobs of all', async () => {
      const { items } = await pay.admin.get(`/ai-jobs?pipeline_id=${pipeline}&field=made`);
      expect(items).toHaveLength(1);
      const job = await pay.admin.get(`/ai-jobs/${items[0].id}`);
      expect(job).toMatchObject({ status: 'completed', output_data: {} });
      expect(JSON.stringify([items, job])).not.toContain(SECRET);
      expect(JSON.stringify(await pay.owner.get(`/ai-jobs/${items[0].id}`))).toContain(SECRET);
    });

    it('and cannot be shown by those it is hidden from', async () => {
      const field = (slug: string) => `/pipelines/${pipeline}/fields/${slug}`;
      const config = (prompt: string) => ({ model: 'gpt-4o-mini', prompt });
      const before = await pay.owner.get(`/pipelines/${pipeline}`);
      const own = { ...ai('leak', { prompt: 'See {wage}' }), visible_to: ['admin'] };
      await expectRefused(pay.admin, 'PATCH', field('wage'), { visible_to: null });
      await expectRefused(pay.admin, 'PATCH', field('wage'), { visible_to: ['editor', 'admin'] });
      await expectRefused(pay.admin, 'PATCH', field('made'), { visible_to: ['admin'] });
      await expectRefused(pay.admin, 'PATCH', field('told'), { ai_config: config('Repeat {made}') });
      await expectRefused(pay.admin, 'PATCH', field('made'), { ai_config: config('Repeat {wage}') });
      await expectRefused(pay.admin, 'POST', `/pipelines/${pipeline}/fields`, own);
      expect((await pay.owner.get(`/pipelines/${pipeline}`)).fields).toEqual(before.fields);
      await pay.admin.patch(field('open'), { ai_config: config('Hello: dear {name}') });
      for (const more of [
        { prompt: 'See {name} {wage}' },
        { prompt: 'See {made}', include_ai_fields: true },
        { prompt: 'See {*}' },
        { system_message: 'You know {wage}' },
        { condition: '{wage} starts_with "s"' },
        { trigger_fields: ['wage'] },
      ]) {
        await expectRefused(pay.admin, 'PATCH', field('open'), {
          ai_config: { ...config('See {name}'), ...more },
        });
      }
      await pay.admin.patch(field('open'), {
        ai_config: { ...config('See {*}'), excluded_fields: ['wage'] },
      });
      await pay.admin.patch(field('wage'), { name: 'Renamed' });
      await pay.owner.patch(field('wage'), { visible_to: ['editor', 'admin'] });
      expect((await pay.admin.get(`/records/${lead}`)).data).toMatchObject({ wage: SALARY });
    });
  });

  it('is set by whom it names, checked, shown, audited, and taken back', async () => {
    const pipeline = await addPipeline(pay.admin, [plain('name', { visible_to: [] })], 'Lists');
    const field = `/pipelines/${pipeline}/fields/name`;
    for (const visible_to of [['boss'], 'admin', ['admin', 'admin'], [1]]) {
      const { status, body } = await pay.owner.call('PATCH', field, { visible_to });
      expect([visible_to, status, body.errors[0].path]).toEqual([visible_to, 422, 'visible_to']);
    }
    const { id } = await pay.owner.post(`/pipelines/${pipeline}/records`, { data: { name: 'Ada' } });
    expect((await pay.admin.get(`/records/${id}`)).data).toEqual({});
    expect((await pay.owner.patch(field, { visible_to: ['viewer'] })).visible_to).toEqual(['viewer']);
    expect((await pay.viewer.get(`/records/${id}`)).data).toEqual({ name: 'Ada' });
    expect((await pay.editor.get(`/records/${id}`)).data).toEqual({});
    expect(await pay.owner.patch(field, { name: 'Called' })).toMatchObject({ visible_to: ['viewer'] });
    expect(await pay.owner.patch(field, { visible_to: null })).not.toHaveProperty('visible_to');
    expect((await pay.editor.get(`/records/${id}`)).data).toEqual({ name: 'Ada' });
    const { items } = await pay.owner.get(`/audit-log?subject=Field&subject_id=${pipeline}:name`);
    expect(items.map(({ before, after }: Body) => [before?.visible_to, after?.visible_to])).toEqual([
      [['viewer'], undefined],
      [['viewer'], ['viewer']],
      [[], ['viewer']],
    ]);
  });
});
