import type { Api, Body } from '../support/api.js';
import { SALARY, SECRET, setPay, type Pay } from '../support/pay.js';
import { addRecord, addSettled, configure, generate } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('what a field shows to some roles only', () => {
  let stage: Stage;
  let pay: Pay;
  let record: string;

  beforeAll(async () => {
    stage = await setStage();
    pay = await setPay(stage);
    record = (await addSettled(pay.owner, pay.pipelineId, { name: 'Ada', salary: SALARY })).id;
  });

  afterAll(async () => {
    pay.close();
    await stage.close();
  });

  const base = () => `/pipelines/${pay.pipelineId}`;
  const slugsOf = ({ data, ai }: Body) => [Object.keys(data), Object.keys(ai)];
  const text = (value: unknown) => JSON.stringify(value);
  const SEEN: Record<'viewer' | 'editor' | 'admin' | 'owner', [string[], string[]]> = {
    viewer: [['name', 'hello'], ['hello']],
    editor: [
      ['name', 'band', 'hello'],
      ['band', 'hello'],
    ],
    admin: [
      ['name', 'salary', 'pay', 'advice', 'all', 'band', 'hello'],
      ['pay', 'advice', 'all', 'band', 'hello'],
    ],
    owner: [
      ['name', 'salary', 'pay', 'advice', 'all', 'band', 'hello'],
      ['pay', 'advice', 'all', 'band', 'hello'],
    ],
  };

  it.each(Object.entries(SEEN))('%s sees of a record what is for them', async (role, seen) => {
    const api = pay[role as keyof typeof SEEN];
    expect(slugsOf(await api.get(`/records/${record}`))).toEqual(seen);
    const { items } = await api.get(`${base()}/records`);
    expect(slugsOf(items.find(({ id }: Body) => id === record))).toEqual(seen);
    expect(Object.keys(await api.get(`${base()}/ai/states`)).sort()).toEqual([...seen[1]].sort());
  });

  it('the list of fields tells that they are there, and for whom', async () => {
    const { fields } = await pay.viewer.get(base());
    expect(fields.map(({ slug, visible_to }: Body) => [slug, visible_to])).toEqual([
      ['name', undefined],
      ['salary', ['admin']],
      ['pay', undefined],
      ['advice', undefined],
      ['all', undefined],
      ['band', ['editor', 'admin']],
      ['hello', undefined],
    ]);
  });

  it('the answer of a save shows no more than reading does', async () => {
    const added = await addRecord(pay.editor, pay.pipelineId, { name: 'Grace' });
    expect(slugsOf(added)).toEqual([['name'], ['band', 'hello']]);
    await pay.owner.settled(added.id);
    const changed = await pay.editor.patch(`/records/${added.id}`, { data: { name: 'Hopper' } });
    expect(slugsOf(changed)).toEqual([
      ['name', 'hello'],
      ['band', 'hello'],
    ]);
    expect(text(await pay.editor.settled(added.id))).not.toContain(SECRET);
    const same = await pay.editor.patch(`/records/${added.id}`, { data: { name: 'Hopper' } });
    expect(text(same)).not.toContain(SECRET);
    const written = await pay.editor.patch(`/records/${added.id}`, { data: { hello: 'by hand' } });
    expect(slugsOf(written)).toEqual(slugsOf(changed));
  });

  it('neither do own jobs, nor their executions; what may be shown is, without what went into it', async () => {
    const { id } = await addRecord(pay.editor, pay.pipelineId, { name: 'Edsger' });
    await pay.owner.patch(`/records/${id}`, { data: { salary: SALARY } });
    await pay.owner.settled(id);
    await generate(pay.editor, id, 'band', true);
    await generate(pay.editor, id, 'hello', true);
    const { items } = await pay.editor.get(`/ai-jobs?record_id=${id}&limit=200`);
    const jobs: Body[] = [];
    for (const item of items) jobs.push(await pay.editor.get(`/ai-jobs/${item.id}`));
    expect(new Set(jobs.map(({ field_name }) => field_name))).toContain('pay');
    expect(text([items, jobs])).not.toContain(SECRET);
    const of = (slug: string) => jobs.find(({ field_name }) => field_name === slug);
    expect(of('band').output_data).toEqual({ value: 'band-top' });
    expect(of('band')).toMatchObject({ tokens_used: null, cost_cents: null, cost_usd: null });
    expect(of('band').executions[0]).toMatchObject({ value: 'band-top', answer: 'band-top', request: null });
    expect(of('band').executions[0]).toMatchObject({ usage: null, cost_usd: null });
    const { ai } = await pay.editor.get(`/records/${id}`);
    expect([ai.band.state, 'cost_usd' in ai.band, 'cost_usd' in ai.hello]).toEqual(['ready', false, true]);
    const [made] = (await pay.editor.get(`/records/${id}/ai/band/history`)).items;
    expect(made).toMatchObject({ value: 'band-top', cost_usd: null });
    const [whole] = (await pay.admin.get(`/records/${id}/ai/band/history`)).items;
    expect(whole.cost_usd).toBeGreaterThan(0);
    expect(of('hello').executions[0].request.messages[0].content).toBe('Hello: Edsger');
    expect(of('pay')).toMatchObject({ output_data: {}, input_data: {} });
    for (const { id: job } of items.filter(({ field_name }: Body) => field_name === 'pay')) {
      const whole = await pay.admin.get(`/ai-jobs/${job}`);
      expect(whole.executions.every(({ request }: Body) => request !== null)).toBe(true);
    }
  });

  it('messages that quote what is hidden are left out', async () => {
    const judged = { prompt: 'Judge: {pay}', output_type: 'boolean', auto_regenerate: false };
    await configure(pay.owner, pay.pipelineId, 'advice', judged);
    stage.simulator.script(
      [{ match: { prompt_includes: 'Judge:' }, action: { type: 'answer', text: `Who knows, ${SECRET}` } }],
      { append: true },
    );
    const { id } = await addSettled(pay.owner, pay.pipelineId, { name: 'Alan', salary: SALARY });
    const { id: job } = await generate(pay.owner, id, 'advice', true);
    expect((await pay.owner.get(`/ai-jobs/${job}`)).error_message).toContain(SECRET);
    await pay.owner.patch(`${base()}/fields/advice`, { visible_to: ['editor', 'admin'] });
    const { ai } = await pay.editor.get(`/records/${id}`);
    expect(ai.advice).toMatchObject({ state: 'failed', error: { code: 'parse_failed' } });
    expect(text(ai)).not.toContain(SECRET);
    await pay.owner.patch(`${base()}/fields/advice`, { visible_to: null });
    await configure(pay.owner, pay.pipelineId, 'advice', { prompt: 'Advise: {pay}' });
  });

  it('events tell ids and states, never a value', async () => {
    const screen = await pay.viewer.events();
    const { id } = await addSettled(pay.owner, pay.pipelineId, { name: 'Barbara', salary: SALARY });
    await pay.owner.until('the screen has it', async () =>
      screen.events.some(({ type, data }) => type === 'ai_value.changed' && data['record_id'] === id),
    );
    screen.close();
    expect(text(screen.events)).not.toContain(SECRET);
  });

  it('a value counts by what it was made from, until it is made anew', async () => {
    const hello = (prompt: string) =>
      configure(pay.owner, pay.pipelineId, 'hello', { prompt, auto_regenerate: false });
    const { id } = await addSettled(pay.owner, pay.pipelineId, { name: 'Donald', salary: SALARY });
    await hello('All: {salary}');
    await generate(pay.owner, id, 'hello', true);
    const [old] = (await pay.owner.get(`/records/${id}/ai/hello/history`)).items;
    const hidden = async (api: Api): Promise<boolean> => {
      const { data, ai } = await api.get(`/records/${id}`);
      return !('hello' in data) && !('hello' in ai);
    };
    expect([await hidden(pay.viewer), await hidden(pay.admin)]).toEqual([true, false]);

    await hello('Hello: {name}');
    expect([await hidden(pay.viewer), await hidden(pay.admin)]).toEqual([true, false]);
    const refused: [string, string, unknown?][] = [
      ['PATCH', `/records/${id}`, { data: { hello: 'mine' } }],
      ['GET', `${base()}/records?filter[hello]=all-${SECRET}`],
      ['GET', `/records/${id}/ai/hello/history`],
      ['POST', `${base()}/ai/hello/generate`, { scope: 'all', filter: { hello: 'x' } }],
    ];
    for (const [method, path, body] of refused) {
      const { status, body: answer } = await pay.editor.call(method, path, body);
      expect([method, path, status, answer.code]).toEqual([method, path, 403, 'field_not_visible']);
    }

    await generate(pay.owner, id, 'hello', true);
    expect(await hidden(pay.viewer)).toBe(false);
    const { items } = await pay.viewer.get(`/records/${id}/ai/hello/history`);
    expect(items.map(({ value }: Body) => value)).toEqual(['hello-open', 'hello-open']);
    const restore = { execution_id: old.execution_id };
    expect((await pay.editor.call('POST', `/records/${id}/ai/hello/restore`, restore)).status).toBe(404);
    await pay.admin.post(`/records/${id}/ai/hello/restore`, restore);
    expect(await hidden(pay.viewer)).toBe(true);
  });

  it('the configuration of today hides as well what was made before it', async () => {
    await configure(pay.owner, pay.pipelineId, 'hello', { prompt: 'Hello: {name}' });
    const { id } = await addSettled(pay.owner, pay.pipelineId, { name: 'Tony', salary: SALARY });
    await configure(pay.owner, pay.pipelineId, 'hello', { prompt: 'Hello: {pay}', auto_regenerate: false });
    const { data } = await pay.viewer.get(`/records/${id}`);
    expect(data).toEqual({ name: 'Tony' });
    await configure(pay.owner, pay.pipelineId, 'hello', { prompt: 'Hello: {name}' });
    expect((await pay.viewer.get(`/records/${id}`)).data).toEqual({ name: 'Tony', hello: 'hello-open' });
  });
});
