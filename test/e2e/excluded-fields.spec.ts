import { tablesHolding } from '../support/find-text.js';
import { addPipeline, addSettled, ai, edit, generate, plain } from '../support/pipelines.js';
import { answering, prompts, systemOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

/** The host's own table: the one place where the value of an excluded field belongs. */
const RECORDS = ['records'];

describe('an excluded field', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** The secret is in the record and nowhere else: in no call, no other table, no log. */
  async function expectUnseen(secret: string): Promise<void> {
    expect(stage.simulator.requests().length).toBeGreaterThan(0);
    expect(JSON.stringify(stage.simulator.requests())).not.toContain(secret);
    expect(await tablesHolding(stage.database, secret)).toEqual(RECORDS);
    expect(stage.product.output()).not.toContain(secret);
  }

  const ways = [
    { way: 'by excluded_fields', slug: 'salary', more: {}, config: { excluded_fields: ['salary'] } },
    { way: 'by being marked sensitive', slug: 'diagnosis', more: { sensitive: true }, config: {} },
    { way: 'by the shipped deny list', slug: 'customer_ssn', more: {}, config: {} },
    { way: "by the tenant's deny list", slug: 'shoe_size', more: {}, config: {} },
  ];

  it.each(ways)('$way never leaves the record', async ({ slug, more, config }) => {
    const secret = `secret-${slug}-4711`;
    const api = await stage.tenant();
    await api.patch('/ai-settings', { denied_fields: ['ssn', 'shoe_size'] });
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain(slug, more),
      ai('summary', { prompt: 'All: {*}', system_message: 'Known: {*}', ...config }),
      ai('advice', { prompt: 'Advise {summary}: <*>', include_ai_fields: true, ...config }),
    ]);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', [slug]: secret });
    const edited = await edit(api, id, { name: 'Grace', [slug]: `${secret} and more` });
    expect(edited.ai).toMatchObject({ summary: { state: 'ready' }, advice: { state: 'ready' } });
    await generate(api, id, 'summary', true);
    await api.settled(id);
    await api.post('/ai-fields/try', {
      pipeline_id: pipelineId,
      record_id: id,
      ai_config: { model: 'gpt-4o-mini', prompt: 'Try {*}', ...config },
    });

    expect(prompts(stage.simulator)).toContain('All: Name: Grace');
    expect(systemOf(stage.simulator.requests()[0]!)).toBe('Known: Name: Ada');
    await expectUnseen(secret);
  });

  it('makes no field due, where `{*}` is all that would read it', async () => {
    const api = await stage.tenant();
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('summary', { prompt: 'All: {*}', excluded_fields: ['salary'] }),
    ]);
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', salary: '1' });
    const edited = await api.patch(`/records/${id}`, { data: { salary: '2' } });
    expect(edited.ai_processing).toBeUndefined();
    expect(edited.ai.summary.state).toBe('ready');
  });

  it('is left out through the AI values that are made from it', async () => {
    const api = await stage.tenant();
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('grade', { prompt: 'GRADE {salary}' }),
      ai('mood', { prompt: 'MOOD {grade}' }),
      ai('public', { prompt: 'PUBLIC {*}', include_ai_fields: true, excluded_fields: ['salary'] }),
    ]);
    stage.simulator.script(answering({ 'GRADE 90000': 'grade-of-90000', MOOD: 'mood-of-90000' }));
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', salary: '90000' });
    await generate(api, id, 'public', true);
    const asked = prompts(stage.simulator).filter((prompt) => prompt.startsWith('PUBLIC'));
    expect(asked.length).toBeGreaterThan(0);
    expect(new Set(asked)).toEqual(new Set(['PUBLIC Name: Ada']));

    for (const slug of ['grade', 'mood']) {
      const refused = await api.call('POST', `/pipelines/${pipelineId}/fields`, {
        ...ai('leak', { prompt: `Tell {${slug}}`, excluded_fields: ['salary'] }),
      });
      expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_ai_config' } });
      expect(refused.body.errors).toEqual([
        { path: 'ai_config.prompt', message: expect.stringContaining('made from "salary"') },
      ]);
    }
  });

  it('stays left out of a value that was made from it before and restored', async () => {
    const api = await stage.tenant();
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary'),
      ai('grade', { prompt: 'GRADE {salary}', auto_regenerate: false }),
      ai('public', { prompt: 'PUBLIC {*}', include_ai_fields: true, excluded_fields: ['salary'] }),
    ]);
    stage.simulator.script(answering({ GRADE: 'made-of-salary' }));
    const { id } = await addSettled(api, pipelineId, { name: 'Ada', salary: '90000' });
    const job = await generate(api, id, 'grade');
    await api.patch(`/pipelines/${pipelineId}/fields/grade`, {
      ai_config: { model: 'gpt-4o-mini', prompt: 'GRADE {name}', auto_regenerate: false },
    });
    await api.post(`/records/${id}/ai/grade/restore`, { execution_id: job.executions[0].id });
    await api.settled(id);
    stage.simulator.clearRequests();
    await generate(api, id, 'public', true);
    expect(prompts(stage.simulator)).toEqual(['PUBLIC Name: Ada']);

    stage.simulator.script(answering({ GRADE: 'made-of-name' }));
    await api.post(`/records/${id}/ai/grade/reset`);
    await generate(api, id, 'grade', true);
    await api.settled(id);
    await generate(api, id, 'public', true);
    expect(prompts(stage.simulator).at(-1)).toBe('PUBLIC Name: Ada\nGrade: made-of-name');
  });

  it.each([
    { what: 'prompt', config: { prompt: 'Tell {salary}' } },
    { what: 'system_message', config: { prompt: 'Tell {name}', system_message: 'Mind {{salary}}' } },
    { what: 'condition', config: { prompt: 'Tell {name}', condition: '{{#if salary}}1{{/if}}' } },
  ])('is refused by name in the $what, with its path', async ({ what, config }) => {
    const api = await stage.tenant();
    const pipelineId = await addPipeline(api, [plain('name'), plain('salary'), plain('ssn')]);
    const field = ai('summary', { ...config, excluded_fields: ['salary'] });
    const added = await api.call('POST', `/pipelines/${pipelineId}/fields`, field);
    expect(added).toMatchObject({ status: 422, body: { code: 'invalid_ai_config' } });
    const error = { path: `ai_config.${what}`, message: expect.stringContaining('"salary"') };
    expect(added.body.errors).toEqual([error]);

    const draft = { pipeline_id: pipelineId, ai_config: field['ai_config'] };
    for (const path of ['/ai-fields/preview', '/ai-fields/try']) {
      expect(await api.call('POST', path, draft)).toMatchObject({ status: 422, body: { errors: [error] } });
    }
    expect((await api.get(`/pipelines/${pipelineId}`)).fields).toHaveLength(3);
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('is refused by the deny list with its place in a whole pipeline', async () => {
    const api = await stage.tenant();
    const answer = await api.call('POST', '/pipelines', {
      name: 'Leads',
      fields: [plain('name'), plain('password'), ai('summary', { prompt: 'Tell {password}' })],
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([
      { path: 'fields.2.ai_config.prompt', message: expect.stringContaining('denied') },
    ]);
    expect((await api.get('/pipelines')).items).toEqual([]);
  });

  it('of a workflow is taken out of the context at any depth before anything is stored', async () => {
    const api = await stage.tenant();
    const secret = 'secret-workflow-4711';
    await api.post('/workflow-ai', {
      node_config: { node_id: 'n1', prompt: 'Data {{json workflow_data}}', model: 'gpt-4o-mini' },
      workflow_context: {
        name: 'Ada',
        ssn: secret,
        person: { api_key: secret, list: [{ password: secret }] },
      },
      execution_id: 'e1',
      wait: true,
    });
    expect(prompts(stage.simulator)[0]).toContain('Ada');
    expect(JSON.stringify(stage.simulator.requests())).not.toContain(secret);
    expect(await tablesHolding(stage.database, secret)).toEqual([]);
  });
});
