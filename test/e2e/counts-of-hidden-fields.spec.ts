import { setPay, type Pay } from '../support/pay.js';
import { addPipeline, addSettled, ai, configure, edit, generate, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const byHand = { auto_regenerate: false };

describe('what is counted of fields that somebody may not see', () => {
  let stage: Stage;
  let pay: Pay;
  let pipelineId: string;
  let recordId: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  afterEach(() => pay.close());
  beforeEach(async () => {
    pay = await setPay(stage);
    stage.simulator.script(
      [{ match: { prompt_includes: 'Size:' }, action: { type: 'answer', text: 'No number' } }],
      { append: true },
    );
    pipelineId = await addPipeline(
      pay.owner,
      [
        plain('name'),
        plain('wage', { visible_to: ['editor'] }),
        ai('made', { prompt: 'Pay: {wage}' }),
        { ...ai('band', { prompt: 'Band: {wage}' }), visible_to: ['viewer', 'editor', 'admin'] },
        ai('size', { prompt: 'Size: {wage}', output_type: 'number' }),
        ai('hello', { prompt: 'Hello: {name}' }),
      ],
      'Wages',
    );
    recordId = (await addSettled(pay.owner, pipelineId, { name: 'Ada', wage: 'high' })).id;
  });

  const refused = { status: 403, body: { code: 'field_not_visible' } };

  /** Runs a field over all records and waits for the end. @returns the run. */
  async function run(slug: string): Promise<string> {
    const { run_id: id } = await pay.owner.post(`/pipelines/${pipelineId}/ai/${slug}/generate`, {
      scope: 'all',
    });
    await pay.owner.until(`run ${id} has ended`, async () => {
      const { queueing, pending, processing } = await pay.owner.get(`/ai-runs/${id}`);
      return !queueing && pending + processing === 0;
    });
    return id as string;
  }

  it('is no progress of a run, nor can the run be stopped', async () => {
    const id = await run('made');
    for (const api of [pay.viewer, pay.admin])
      expect(await api.call('GET', `/ai-runs/${id}`)).toMatchObject(refused);
    expect(await pay.admin.call('POST', `/ai-runs/${id}/stop`)).toMatchObject(refused);
    expect(await pay.editor.get(`/ai-runs/${id}`)).toMatchObject({ completed: 1, stopped: false });
  });

  it('is a progress without its cost where the values are shown, but not what they are made from', async () => {
    await configure(pay.owner, pipelineId, 'band', { prompt: 'Band: {wage}', ...byHand });
    await edit(pay.owner, recordId, { wage: 'low' });
    const id = await run('band');
    const whole = await pay.owner.get(`/ai-runs/${id}`);
    expect(whole.cost_usd).toBeGreaterThan(0);
    const { cost_usd: _cost, ...rest } = whole;
    expect(await pay.viewer.get(`/ai-runs/${id}`)).toEqual(rest);
    await configure(pay.owner, pipelineId, 'band', { prompt: 'Band: {name}', ...byHand });
    expect(await pay.viewer.get(`/ai-runs/${id}`)).toEqual(rest);
    expect(await pay.editor.get(`/ai-runs/${id}`)).toEqual(whole);
  });

  it('is no scope of a run, and no state, while a value is made from what is hidden, whatever the prompt says now', async () => {
    await configure(pay.owner, pipelineId, 'made', { prompt: 'Hello: {name}', ...byHand });
    const scopes = { scope: 'stale' };
    const path = `/pipelines/${pipelineId}`;
    await pay.owner.patch(`${path}/fields/wage`, { visible_to: ['admin'] });
    expect(await pay.editor.call('POST', `${path}/ai/made/generate`, scopes)).toMatchObject(refused);
    const states = async () => (await pay.editor.get(`${path}/ai/states`)).made;
    expect(await states()).toBeUndefined();
    expect((await pay.admin.get(`${path}/ai/states`)).made).toEqual({ stale: 1 });
    await generate(pay.owner, recordId, 'made', true);
    expect(await states()).toEqual({ ready: 1 });
    await edit(pay.owner, recordId, { name: 'Grace' });
    expect(await pay.editor.post(`${path}/ai/made/generate`, scopes)).toMatchObject({ queued: 1 });
  });
});
