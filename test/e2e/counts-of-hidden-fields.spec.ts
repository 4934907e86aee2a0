import type { Api, Body } from '../support/api.js';
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

  it('is told by error code to who sees every field alone', async () => {
    const codes = async (api: Api) => {
      const { items } = await api.get('/ai-analytics/performance');
      const { failed_last_hour: failed } = await api.get('/ai-jobs/diagnostics');
      return { errors: items.map(({ errors }: Body) => errors), failed };
    };
    expect(await codes(pay.owner)).toEqual({ errors: [expect.any(Object)], failed: { parse_failed: 1 } });
    expect(await codes(pay.admin)).toEqual({ errors: [undefined], failed: undefined });
    await pay.owner.patch(`/pipelines/${pipelineId}/fields/wage`, { visible_to: ['editor', 'admin'] });
    expect(await codes(pay.admin)).toEqual(await codes(pay.owner));
  });

  it('is on no line of a report, though totals have it', async () => {
    const keys = (lines: Body[]) =>
      lines.flatMap(({ key }) => (key.startsWith(pipelineId) ? [key.split(':')[1]] : [])).sort();
    const all = ['band', 'hello', 'made', 'size'];
    for (const [api, seen] of [
      [pay.owner, all],
      [pay.admin, ['hello']],
    ] as const) {
      const usage = await api.get('/ai-analytics/usage?group_by=field');
      const costs = await api.get('/ai-analytics/costs?group_by=field');
      expect([usage.items, costs.items, costs.top_spenders.fields].map(keys)).toEqual([seen, seen, seen]);
      const { body: csv } = await api.call('GET', '/ai-analytics/costs?group_by=field&format=csv');
      expect(all.filter((slug) => csv.includes(`${pipelineId}:${slug}`))).toEqual(seen);
      expect([usage.totals.requests, costs.totals.requests]).toEqual([5, 5]);
    }
  });

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

  it('is on no job once the pipeline is gone', async () => {
    const { job_id: jobId } = await pay.editor.post(`/records/${recordId}/ai/size/generate`, { force: true });
    expect(await pay.editor.job(jobId)).toMatchObject({ error_code: 'parse_failed' });
    await pay.owner.ok('DELETE', `/pipelines/${pipelineId}`);
    for (const api of [pay.editor, pay.admin]) {
      const job = await api.get(`/ai-jobs/${jobId}`);
      const unknown = {
        outcome: null,
        error_code: null,
        model_name: null,
        tokens_used: null,
        cost_usd: null,
      };
      expect(job).toMatchObject({
        ...unknown,
        status: 'failed',
        ai_config: {},
        output_data: {},
        executions: [],
      });
      const here = `/ai-jobs?error_code=parse_failed`;
      expect(await api.call('GET', `${here}&pipeline_id=${pipelineId}`)).toMatchObject(refused);
    }
    expect(await pay.owner.get(`/ai-jobs/${jobId}`)).toMatchObject({ error_code: 'parse_failed' });
    // Nothing is hidden from an admin in what is there.
    expect((await pay.admin.get('/ai-jobs?error_code=parse_failed')).items).toEqual([]);
    expect((await pay.owner.get('/ai-jobs?error_code=parse_failed')).items).toHaveLength(2);
  });
});
