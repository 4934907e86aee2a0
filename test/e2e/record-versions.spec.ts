import type { Api } from '../support/api.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('the version of a record', () => {
  let stage: Stage;
  let api: Api;
  let plainId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    plainId = await addPipeline(
      api,
      ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((slug) => plain(slug)),
    );
  });

  afterAll(() => stage.close());

  it('refuses a change that was made on an older one, and says which it is now', async () => {
    const { id } = await addRecord(api, plainId, { a: '1' });
    await api.patch(`/records/${id}`, { data: { a: '2' }, expected_version: 1 });
    const late = await api.call('PATCH', `/records/${id}`, { data: { a: '3', b: 'x' }, expected_version: 1 });
    expect(late.status).toBe(409);
    expect(late.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(late.body).toMatchObject({
      code: 'version_conflict',
      detail: 'The record was changed meanwhile, it has version 2 now: reload it and try again.',
    });
    expect((await api.get(`/records/${id}`)).data).toEqual({ a: '2' });
    for (const expected_version of [0, 1.5, '2', -1]) {
      const { status, body } = await api.call('PATCH', `/records/${id}`, {
        data: { a: '4' },
        expected_version,
      });
      expect([status, body.errors[0].path]).toEqual([422, 'expected_version']);
    }
  });

  it('lets one of many who changed the same one through', async () => {
    const { id } = await addRecord(api, plainId, { a: 'start' });
    const values = Array.from({ length: 8 }, (_, n) => `writer ${n}`);
    const answers = await Promise.all(
      values.map((a) => api.call('PATCH', `/records/${id}`, { data: { a }, expected_version: 1 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)]);
    const winner = answers.findIndex(({ status }) => status === 200);
    expect(await api.get(`/records/${id}`)).toMatchObject({ version: 2, data: { a: values[winner] } });
  });

  it('is not needed: changes of different values at once all survive', async () => {
    const { id } = await addRecord(api, plainId, {});
    const slugs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await Promise.all(slugs.map((slug) => api.patch(`/records/${id}`, { data: { [slug]: `by ${slug}` } })));
    const { version, data } = await api.get(`/records/${id}`);
    expect(version).toBe(1 + slugs.length);
    expect(data).toEqual(Object.fromEntries(slugs.map((slug) => [slug, `by ${slug}`])));
  });

  it('is left alone by an AI value, which leaves alone what a person changed meanwhile', async () => {
    const fields = [plain('name'), plain('note'), ai('summary', { prompt: 'Summarise {name}' })];
    const pipelineId = await addPipeline(api, fields, 'With AI');
    stage.simulator.script([{ action: { type: 'hold', then: { type: 'answer', text: 'About Ada' } } }]);
    const created = await addRecord(api, pipelineId, { name: 'Ada', note: 'first' });
    await stage.simulator.waitForRequests(1);
    const edited = await api.patch(`/records/${created.id}`, {
      data: { note: 'second' },
      expected_version: 1,
    });
    expect(edited.version).toBe(2);
    stage.simulator.release();
    const settled = await api.settled(created.id);
    expect(settled).toMatchObject({
      version: 2,
      updated_at: edited.updated_at,
      data: { name: 'Ada', note: 'second', summary: 'About Ada' },
      ai: { summary: { state: 'ready' } },
    });
    const last = await api.patch(`/records/${created.id}`, { data: { note: 'third' }, expected_version: 2 });
    expect(last.version).toBe(3);
    stage.simulator.clearScript();
  });
});
