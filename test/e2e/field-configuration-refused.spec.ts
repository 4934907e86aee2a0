import type { Api } from '../support/api.js';
import { addPipeline, addSettled, ai, configure, plain } from '../support/pipelines.js';
import { answering } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a configuration that cannot work is refused', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    stage.simulator.script(answering({ 'Summarise Ada': 'About Ada' }));
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    api = await stage.tenant();
  });

  it('for a circle of AI fields, which it shows', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('first', { prompt: 'Of {name}' }),
      ai('second', { prompt: 'Of {first}' }),
      ai('third', { prompt: 'Of {second}' }),
    ]);
    const answer = await api.call('PATCH', `/pipelines/${pipelineId}/fields/first`, {
      ai_config: { prompt: 'Of {third}' },
    });
    expect(answer).toMatchObject({ status: 422, body: { code: 'dependency_cycle' } });
    const [{ path, message }] = answer.body.errors;
    expect(path).toBe('ai_config.prompt');
    const circle = /circle: (.+?)\./.exec(message)?.[1]?.split(' → ') ?? [];
    expect(circle).toHaveLength(4);
    expect(circle[0]).toBe(circle[3]);
    expect([...new Set(circle)].sort()).toEqual(['first', 'second', 'third']);
    const { fields } = await api.get(`/pipelines/${pipelineId}`);
    expect(fields[1].ai_config.prompt).toBe('Of {name}');
  });

  it.each([
    ['its own prompt', { prompt: 'More of {self}' }],
    ['trigger_fields', { prompt: 'Of {name}', trigger_fields: ['name', 'self'] }],
    ['a system message', { prompt: 'Of {name}', system_message: 'After {self}' }],
  ])('for a field that reads itself in %s', async (_where, config) => {
    const pipelineId = await addPipeline(api, [plain('name')]);
    const answer = await api.call('POST', `/pipelines/${pipelineId}/fields`, ai('self', config));
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0].message).toMatch(/self/);
    expect((await api.get(`/pipelines/${pipelineId}`)).fields).toHaveLength(1);
  });

  it('for two fields that read everything of each other', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('first', { prompt: '{*}', include_ai_fields: true }),
    ]);
    const second = ai('second', { prompt: '{*}', include_ai_fields: true });
    const answer = await api.call('POST', `/pipelines/${pipelineId}/fields`, second);
    expect(answer).toMatchObject({ status: 422, body: { code: 'dependency_cycle' } });
  });

  it.each([
    ['prompt', { prompt: 'Of {frist_name}' }, 'first_name'],
    ['prompt', { prompt: 'Of {{upper compny}}' }, 'company'],
    ['system_message', { prompt: 'Of {company}', system_message: 'Mind {{#if emial}}it{{/if}}' }, 'email'],
    ['condition', { prompt: 'Of {company}', condition: '{companies}' }, 'company'],
  ])('for an unknown field in the %s, with the nearest name', async (where, config, nearest) => {
    const pipelineId = await addPipeline(api, [plain('first_name'), plain('company'), plain('email')]);
    const answer = await api.call('POST', `/pipelines/${pipelineId}/fields`, ai('summary', config));
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_ai_config' } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body.errors).toEqual([
      { path: `ai_config.${where}`, message: expect.stringContaining(nearest) },
    ]);
  });

  it('with every error at once', async () => {
    const pipelineId = await addPipeline(api, [plain('name'), plain('ssn')]);
    const field = ai('summary', {
      prompt: 'Of {nmae} and {ssn}',
      trigger_fields: ['gone'],
      output_type: 'poem',
    });
    const answer = await api.call('POST', `/pipelines/${pipelineId}/fields`, field);
    expect(answer.status).toBe(422);
    const paths = answer.body.errors.map(({ path }: { path: string }) => path);
    expect(paths.sort()).toEqual([
      'ai_config.output_type',
      'ai_config.prompt',
      'ai_config.prompt',
      'ai_config.trigger_fields',
    ]);
  });

  it('and so is deleting a field that prompts or triggers reference: they are named', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('notes'),
      plain('city'),
      ai('summary', { prompt: 'Summarise {name}' }),
      ai('advice', { prompt: 'Of {*}', trigger_fields: ['notes'], system_message: 'Mind {{lower name}}' }),
    ]);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', notes: 'new', city: 'Ulm' });
    const path = `/pipelines/${pipelineId}/fields`;
    const used = await api.call('DELETE', `${path}/name`);
    expect(used).toMatchObject({ status: 409, body: { code: 'field_in_use' } });
    expect(used.body.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      'fields.advice.ai_config',
      'fields.summary.ai_config',
    ]);
    expect(used.body.detail).toMatch(/"Summary"/);
    expect(used.body.detail).toMatch(/"Advice"/);
    expect(await api.call('DELETE', `${path}/notes`)).toMatchObject({ status: 409 });
    expect((await api.get(`/records/${id}`)).data).toMatchObject({ name: 'Ada', notes: 'new' });

    await api.ok('DELETE', `${path}/city`);
    await configure(api, pipelineId, 'summary', { prompt: 'A summary' });
    await api.ok('DELETE', `${path}/advice`);
    await api.ok('DELETE', `${path}/name`);
    const { fields } = await api.get(`/pipelines/${pipelineId}`);
    expect(fields.map(({ slug }: { slug: string }) => slug)).toEqual(['notes', 'summary']);
    expect((await api.get(`/records/${id}`)).data).toEqual({ notes: 'new', summary: 'About Ada' });
  });
});
