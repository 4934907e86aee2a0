import type { Api } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, edit, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const DIAMOND = [
  plain('name'),
  ai('top', { prompt: 'TOP of {name}' }),
  ai('left', { prompt: 'LEFT of {top}, {name}' }),
  ai('right', { prompt: 'RIGHT of {top}' }),
  ai('bottom', { prompt: 'BOTTOM of {left}, {right}, {name}' }),
];

describe('AI fields that read each other', () => {
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

  it('generates a chain once per edit, each field after the one it reads', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('third', { prompt: 'THIRD of {second}' }),
      ai('second', { prompt: 'SECOND of {first}' }),
      ai('first', { prompt: 'FIRST of {name}' }),
    ]);
    stage.simulator.script(
      answering({
        'FIRST of Ada': 'a1',
        'SECOND of a1': 'a2',
        'THIRD of a2': 'a3',
        'FIRST of Bob': 'b1',
        'SECOND of b1': 'b2',
        'THIRD of b2': 'b3',
      }),
    );
    const created = await addSettled(api, pipelineId, { name: 'Ada' });
    expect(created.data).toEqual({ name: 'Ada', first: 'a1', second: 'a2', third: 'a3' });
    const edited = await edit(api, created.id, { name: 'Bob' });
    expect(edited.data).toEqual({ name: 'Bob', first: 'b1', second: 'b2', third: 'b3' });
    expect(prompts(stage.simulator)).toEqual([
      'FIRST of Ada',
      'SECOND of a1',
      'THIRD of a2',
      'FIRST of Bob',
      'SECOND of b1',
      'THIRD of b2',
    ]);

    const { items } = await api.get(`/ai-jobs?record_id=${created.id}`);
    const third = items.find((job: { field_name: string }) => job.field_name === 'third');
    const second = items.find((job: { id: string }) => job.id === third.cause.job_id);
    expect(third.cause).toMatchObject({ origin: 'ai', depth: 2, principal_id: api.userId });
    expect(second).toMatchObject({ field_name: 'second', cause: { origin: 'ai', depth: 1 } });
  });

  it('generates a diamond once per edit, the last field after both of its sides', async () => {
    const pipelineId = await addPipeline(api, DIAMOND);
    stage.simulator.script(
      answering({
        'TOP of Ada': 'ta',
        'LEFT of ta, Ada': 'la',
        'RIGHT of ta': 'ra',
        'BOTTOM of la, ra, Ada': 'ba',
        'TOP of Bob': 'tb',
        'LEFT of tb, Bob': 'lb',
        'RIGHT of tb': 'rb',
        'BOTTOM of lb, rb, Bob': 'bb',
      }),
    );
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    const sides = ['LEFT of ta, Ada', 'RIGHT of ta'];
    expectOrder(prompts(stage.simulator), ['TOP of Ada', sides, 'BOTTOM of la, ra, Ada']);

    stage.simulator.clearRequests();
    const edited = await edit(api, id, { name: 'Bob' });
    expect(edited.data).toEqual({ name: 'Bob', top: 'tb', left: 'lb', right: 'rb', bottom: 'bb' });
    const states = Object.values<{ state: string }>(edited.ai).map(({ state }) => state);
    expect(states).toEqual(['ready', 'ready', 'ready', 'ready']);
    const otherSides = ['LEFT of tb, Bob', 'RIGHT of tb'];
    expectOrder(prompts(stage.simulator), ['TOP of Bob', otherSides, 'BOTTOM of lb, rb, Bob']);
  });

  it('lets a field wait while a side of the diamond is still in flight', async () => {
    const pipelineId = await addPipeline(api, DIAMOND);
    stage.simulator.script([
      holding('RIGHT of ta', 'ra'),
      ...answering({ 'TOP of Ada': 'ta', 'LEFT of ta, Ada': 'la', 'BOTTOM of la, ra, Ada': 'ba' }),
    ]);
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    await stage.simulator.waitForRequests(3);
    const waiting = await api.until('left is stored', async () => {
      const record = await api.get(`/records/${id}`);
      return record.data.left === 'la' && record;
    });
    expect(waiting.ai).toMatchObject({ right: { state: 'generating' }, bottom: { state: 'queued' } });
    expect(prompts(stage.simulator).some((prompt) => prompt.startsWith('BOTTOM'))).toBe(false);
    stage.simulator.release();
    expect((await api.settled(id)).data.bottom).toBe('ba');
    expect(stage.simulator.requests()).toHaveLength(4);
  });

  it('does not go on where an upstream value came out the same', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('class', { prompt: 'CLASS of {name}' }),
      ai('advice', { prompt: 'ADVICE for {class}' }),
    ]);
    stage.simulator.script(answering({ CLASS: 'warm', 'ADVICE for warm': 'call' }));
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    await edit(api, id, { name: 'Bob' });
    expect(prompts(stage.simulator)).toEqual(['CLASS of Ada', 'ADVICE for warm', 'CLASS of Bob']);
  });

  it('goes on from the words of a person', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('class', { prompt: 'CLASS of {name}' }),
      ai('advice', { prompt: 'ADVICE for {class}' }),
    ]);
    stage.simulator.script(
      answering({ CLASS: 'warm', 'ADVICE for warm': 'call', 'ADVICE for hot': 'visit' }),
    );
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    const edited = await edit(api, id, { class: 'hot' });
    expect(edited.data).toMatchObject({ class: 'hot', advice: 'visit' });
    expect(prompts(stage.simulator)).toEqual(['CLASS of Ada', 'ADVICE for warm', 'ADVICE for hot']);
  });

  it('never makes a field trigger itself', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'All of it: {*}', include_ai_fields: true, cache_duration: 0 }),
    ]);
    stage.simulator.script(answering({ 'Name: Ada': 'About Ada', 'Name: Bob': 'About Bob' }));
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    await edit(api, id, { name: 'Bob' });
    expect(prompts(stage.simulator)).toEqual(['All of it: Name: Ada', 'All of it: Name: Bob']);
    const jobs = await stage.database.sql('SELECT FROM ai_jobs WHERE tenant_id = $1', [api.tenantId]);
    expect(jobs).toHaveLength(2);
  });
});

/** The calls in this order; those of an inner list in any order among themselves. */
function expectOrder(calls: string[], wanted: (string | string[])[]): void {
  const left = [...calls];
  for (const step of wanted) {
    const group = [step].flat();
    expect(left.splice(0, group.length).sort()).toEqual([...group].sort());
  }
  expect(left).toEqual([]);
}
