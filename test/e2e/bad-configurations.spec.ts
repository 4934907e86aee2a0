import type { Answer, Api } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, configure, generate, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a configuration that cannot be', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('salary', { field_type: 'number', sensitive: true }),
      ai('summary', { prompt: 'Of {name}' }),
      ai('pitch', { prompt: 'Sell to {summary}' }),
    ]);
  });

  afterEach(async () => {
    expect((await fetch(`${stage.product.url}/health/ready`)).status).toBe(200);
  });

  afterAll(() => stage.close());

  async function everything(): Promise<unknown[]> {
    const tables = [
      'pipelines',
      'pipeline_fields',
      'records',
      'ai_field_configs',
      'ai_values',
      'ai_jobs',
      'ai_budget_limits',
    ];
    return Promise.all(
      tables.map((table) =>
        stage.database.sql(`SELECT * FROM ${table} t WHERE tenant_id = $1 ORDER BY t::text`, [api.tenantId]),
      ),
    );
  }

  /** The answer to a request that must change nothing. */
  async function refused(request: () => Promise<Answer>): Promise<Answer> {
    const before = await everything();
    const answer = await request();
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({ type: 'about:blank', title: 'Invalid input', status: 422 });
    expect(await everything()).toEqual(before);
    return answer;
  }

  it.each<Record<string, unknown>>([
    { fallback_value: ' n/a ' },
    { output_type: 'json', fallback_value: 'unknown' },
    { output_type: 'json', fallback_value: { name: null, parts: [1, 'a'] } },
    { output_type: 'structured', output_schema: { type: 'string' }, fallback_value: 'unknown' },
    { output_type: 'multi_select', options: { choices: ['A', 'B'] }, fallback_value: ['B'] },
    { output_type: 'boolean', fallback_value: false },
    { output_type: 'date', fallback_value: '2026-01-31' },
    { output_type: 'html', fallback_value: '<p>n/a</p>' },
  ])('may have a fallback that an answer would be kept as: %j', async (config) => {
    const saved = await configure(api, pipelineId, 'summary', { prompt: 'Of {name}', ...config });
    expect(saved.ai_config.fallback_value).toEqual(config['fallback_value']);
    await configure(api, pipelineId, 'summary', { prompt: 'Of {name}' });
  });

  const deep = `${'{{#if name}}'.repeat(60)}x${'{{/if}}'.repeat(60)}`;

  it.each<{ what: string; config: Record<string, unknown>; path: string; message: RegExp }>([
    {
      what: 'an unknown field',
      config: { prompt: 'Summarise\n {nam}' },
      path: 'ai_config.prompt',
      message: /^2:2: .*"nam".*Did you mean "name"/,
    },
    {
      what: 'the field itself',
      config: { prompt: 'More of {summary}' },
      path: 'ai_config.prompt',
      message: /^1:9: .*itself/,
    },
    {
      what: 'a circle',
      config: { prompt: 'As in {pitch}' },
      path: 'ai_config.prompt',
      message: /circle: .*summary → .*pitch|circle: .*pitch → .*summary/,
    },
    {
      what: 'a sensitive field',
      config: { prompt: 'Pay {salary}' },
      path: 'ai_config.prompt',
      message: /"salary".*sensitive/,
    },
    {
      what: 'a schema that is none',
      config: { prompt: 'Of {name}', output_type: 'structured', output_schema: { type: 'nonsense' } },
      path: 'ai_config.output_schema.type',
      message: /^must be one of .*"string"/,
    },
    {
      what: 'an output type that is not there',
      config: { prompt: 'Of {name}', output_type: 'hologram' },
      path: 'ai_config.output_type',
      message: /text/,
    },
    {
      what: 'a fallback of another type',
      config: { prompt: 'Of {name}', output_type: 'number', fallback_value: 'none' },
      path: 'ai_config.fallback_value',
      message: /^is no value of the output type number: /,
    },
    {
      what: 'a number as text for a fallback',
      config: { prompt: 'Of {name}', output_type: 'number', fallback_value: '5' },
      path: 'ai_config.fallback_value',
      message: /^would be kept as 5: /,
    },
    {
      what: 'a choice that is none for a fallback',
      config: {
        prompt: 'Of {name}',
        output_type: 'select',
        options: { choices: ['Gold', 'Silver'] },
        fallback_value: 'Bronze',
      },
      path: 'ai_config.fallback_value',
      message: /^is no value of the output type select: /,
    },
    {
      what: 'a script for a fallback',
      config: {
        prompt: 'Of {name}',
        output_type: 'html',
        fallback_value: '<p>n/a</p><script>alert(1)</script>',
      },
      path: 'ai_config.fallback_value',
      message: /^would be kept as "<p>n\/a<\/p>": /,
    },
    {
      what: 'a block without an end',
      config: { prompt: '{{#if name}}x' },
      path: 'ai_config.prompt',
      message: /^1:1: .*if/,
    },
    {
      what: 'a helper that is not there',
      config: { prompt: '{{shout name}}' },
      path: 'ai_config.prompt',
      message: /shout/,
    },
    {
      what: 'the root',
      config: { prompt: '{{this}} {{@root.name}} {{lookup this "name"}}' },
      path: 'ai_config.prompt',
      message: /^1:/,
    },
    {
      what: 'an unknown field to be excluded',
      config: { prompt: 'All {*}', excluded_fields: ['name', 'salry'] },
      path: 'ai_config.excluded_fields.1',
      message: /"salry", which is no field.*Did you mean "salary"/,
    },
    {
      what: 'thousands of tags',
      config: { prompt: '{name}'.repeat(2_001) },
      path: 'ai_config.prompt',
      message: /2,000/,
    },
    { what: 'blocks without end', config: { prompt: deep }, path: 'ai_config.prompt', message: /50/ },
    {
      what: 'no prompt',
      config: {},
      path: 'ai_config.prompt',
      message: /is missing: write what the model is asked/,
    },
    {
      what: 'an unknown key',
      config: { prompt: 'x', promt: 'x' },
      path: 'ai_config.promt',
      message: /is not known: use prompt, /,
    },
    {
      what: 'a number out of bounds',
      config: { prompt: 'x', max_tokens: 0 },
      path: 'ai_config.max_tokens',
      message: /from 1 to/,
    },
  ])('is refused with its path and the remedy: $what', async ({ config, path, message }) => {
    const body = { ai_config: { model: 'gpt-4o-mini', ...config } };
    const request = () => api.call('PATCH', `/pipelines/${pipelineId}/fields/summary`, body);
    const { body: problem } = await refused(request);
    expect(problem.errors[0]).toEqual({ path, message: expect.stringMatching(message) });
    expect(problem.code).toMatch(/^(invalid_prompt|invalid_ai_config|dependency_cycle|invalid_input)$/);
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('is refused with all faults of all fields at once, and no pipeline is made', async () => {
    const fields = [
      plain('name'),
      ai('one', { prompt: '{nam} {nome}', temperature: 3 }),
      ai('two', { prompt: '{one} {three}', system_message: '{nobody}' }),
    ];
    const { body } = await refused(() => api.call('POST', '/pipelines', { name: 'Wrong', fields }));
    const paths = body.errors.map(({ path }: { path: string }) => path);
    expect(paths).toContain('fields.1.ai_config.temperature');
    expect(paths).toContain('fields.2.ai_config.prompt');
    expect(paths).toContain('fields.2.ai_config.system_message');
  });

  it('of a condition or trigger names its own path', async () => {
    const patch = (ai_config: object) => () =>
      api.call('PATCH', `/pipelines/${pipelineId}/fields/summary`, { ai_config });
    const condition = await refused(patch({ prompt: 'x', condition: '{nobody}' }));
    expect(condition.body.errors[0].path).toBe('ai_config.condition');
    const trigger = await refused(patch({ prompt: 'x', trigger_fields: ['nobody'] }));
    expect(trigger.body.errors[0]).toEqual({
      path: 'ai_config.trigger_fields',
      message: expect.stringContaining('"nobody"'),
    });
  });

  it('is none where a field that is excluded anyway is named, or one is deleted later', async () => {
    const own = await addPipeline(api, [
      plain('name'),
      plain('notes'),
      plain('salary', { sensitive: true }),
      ai('all', { prompt: 'All {*}', excluded_fields: ['salary', 'notes'], auto_regenerate: false }),
    ]);
    await api.ok('DELETE', `/pipelines/${own}/fields/notes`);
    const { id } = await addRecord(api, own, { name: 'Ada' });
    expect(await generate(api, id, 'all')).toMatchObject({ status: 'completed' });
    await api.patch(`/pipelines/${own}/fields/name`, { name: 'Full name' });
    stage.simulator.clearRequests();
  });

  it('is a chain whose end would never be generated', async () => {
    const links = Array.from({ length: 34 }, (_, n) =>
      ai(`f${n}`, { prompt: n === 0 ? 'F {name}' : `F {f${n - 1}}`, debounce_ms: 0 }),
    );
    const { body } = await refused(() =>
      api.call('POST', '/pipelines', { name: 'Long', fields: [plain('name'), ...links] }),
    );
    const message = expect.stringMatching(/a chain of 34 AI fields.*at most 33/);
    expect(body.errors).toEqual([{ path: 'fields.34.ai_config.prompt', message }]);

    const own = await addPipeline(api, [plain('name'), ...links.slice(0, 33)]);
    const { ai: values } = await addSettled(api, own, { name: 'Ada' });
    expect(values.f32.state).toBe('ready');
    const ai_config = { model: 'gpt-4o-mini', prompt: 'First of {name}' };
    const first = await api.post(`/pipelines/${own}/fields`, {
      ...plain('first'),
      field_type: 'ai_generated',
      ai_config,
    });
    expect(first.slug).toBe('first');
    const { body: longer } = await refused(() =>
      api.call('PATCH', `/pipelines/${own}/fields/f0`, { ai_config: { ...ai_config, prompt: 'F {first}' } }),
    );
    expect(longer.errors).toEqual([{ path: 'ai_config.prompt', message }]);
    stage.simulator.clearRequests();
  });

  it('a model without a price is not called where a budget applies, and the job says what to do', async () => {
    const other = await stage.tenant();
    const own = await addPipeline(other, [plain('name'), ai('summary', { prompt: 'Of {name}' })]);
    await configure(other, own, 'summary', { prompt: 'Of {name}', model: 'gpt-unheard-of' });
    await other.patch('/ai-settings', { monthly_budget_cents: 100 });
    stage.simulator.clearRequests();
    const created = await other.post(`/pipelines/${own}/records`, { data: { name: 'Ada' } });
    const job = await other.job(created.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({ status: 'failed', error_code: 'unknown_price', executions: [], cost_usd: 0 });
    expect(job.error_message).toMatch(/gpt-unheard-of.*price/);
    const record = await other.get(`/records/${created.id}`);
    expect(record.ai.summary).toMatchObject({ state: 'blocked', error: { code: 'unknown_price' } });
    const ai_config = { prompt: 'Of {name}', model: 'gpt-unheard-of' };
    const tried = await other.call('POST', '/ai-fields/try', {
      pipeline_id: own,
      record_id: created.id,
      ai_config,
    });
    expect([tried.status, tried.body.code]).toEqual([422, 'invalid_ai_config']);
    expect(tried.body.errors).toEqual([
      {
        path: 'ai_config.model',
        message: expect.stringMatching(/"gpt-unheard-of" has no known price.*choose/),
      },
    ]);
    expect(stage.simulator.requests()).toEqual([]);
    const rows = await stage.database.sql(
      'SELECT held, spent FROM ai_budgets WHERE tenant_id = $1 AND held + spent > 0',
      [other.tenantId],
    );
    expect(rows).toEqual([]);
  });
});
