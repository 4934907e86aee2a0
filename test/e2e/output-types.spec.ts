import type { Api, Body } from '../support/api.js';
import { heldOf, ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const CHOICES = { options: { choices: ['cold', 'warm', 'hot'] } };
const SCHEMA = {
  output_schema: {
    type: 'object',
    properties: {
      grade: { type: 'integer', minimum: 1, maximum: 6 },
      tags: { type: 'array', items: { type: 'string' } },
    },
    required: ['grade', 'tags'],
    additionalProperties: false,
  },
};

/** Output type, what more its field needs, what the model answers, what is stored. */
const TYPES: [string, Record<string, unknown>, string, unknown][] = [
  ['text', {}, '  Plain words.\n', 'Plain words.'],
  ['select', CHOICES, '"Warm".', 'warm'],
  ['multi_select', CHOICES, '["hot", "cold"]', ['cold', 'hot']],
  ['number', {}, 'The total is 1,234.5', 1234.5],
  ['boolean', {}, 'Yes.', true],
  ['date', {}, '20 November 2026', '2026-11-20'],
  ['json', {}, 'Here it is:\n```json\n{"a": [1, null]}\n```', { a: [1, null] }],
  ['structured', SCHEMA, '{"grade": 2, "tags": ["new"]}', { grade: 2, tags: ['new'] }],
  [
    'html',
    {},
    '<p onclick="steal()">Hi <b>Ada</b><script>steal()</script><img src="https://x/y"></p><a href="javascript:steal()">x</a>',
    '<p>Hi <b>Ada</b></p><a rel="noopener noreferrer nofollow">x</a>',
  ],
  ['yaml', {}, '```yaml\nname: Ada\nsizes: [1, 2]\n```', { name: 'Ada', sizes: [1, 2] }],
  ['xml', {}, 'Sure: <lead><name>Ada</name></lead>', '<lead><name>Ada</name></lead>'],
  ['markdown', {}, '# Ada\n\n- one <script>x</script>', '# Ada\n\n- one &lt;script&gt;x&lt;/script&gt;'],
];

/** Answers that cannot be read as the type. */
const BROKEN: [string, Record<string, unknown>, string][] = [
  ['select', CHOICES, 'lukewarm'],
  ['multi_select', CHOICES, '["hot", "lukewarm"]'],
  ['number', {}, 'between 1 and 2'],
  ['boolean', {}, 'perhaps'],
  ['date', {}, '11/12/2026'],
  ['json', {}, 'no braces here'],
  ['structured', SCHEMA, '{"grade": 9, "tags": []}'],
  ['yaml', {}, 'just: a: sentence: ['],
  ['xml', {}, '<lead><name>Ada</lead>'],
];

describe('an answer becomes a value of its output type', () => {
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

  function pipelineOf(type: string, more: Record<string, unknown>): Promise<string> {
    const config = { prompt: 'Tell of {name}', output_type: type, ...more };
    return addPipeline(api, [plain('name'), ai('value', config), ai('after', { prompt: 'Read {value}' })]);
  }

  it.each(TYPES)('%s', async (type, more, answer, value) => {
    stage.simulator.script(answering({ 'Tell of Ada': answer }));
    const record = await addSettled(api, await pipelineOf(type, more), { name: 'Ada' });
    expect(record.data.value).toEqual(value);
    expect(record.ai).toMatchObject({ value: { state: 'ready' }, after: { state: 'ready' } });
    const [stored] = await stage.database.sql<{ generated: unknown }>(
      `SELECT generated FROM ai_values WHERE tenant_id = $1 AND field = 'value'`,
      [api.tenantId],
    );
    expect(stored!.generated).toEqual(value);
    expect(stage.simulator.requests()).toHaveLength(2);
  });

  it.each(BROKEN)(
    '%s that cannot be read is asked for once more, and paid twice',
    async (type, more, broken) => {
      const [, , good, value] = TYPES.find(([name]) => name === type)!;
      stage.simulator.script([
        { times: 1, action: { type: 'answer', text: broken } },
        ...answering({ 'cannot be used': good }),
      ]);
      const created = await addRecord(api, await pipelineOf(type, more), { name: 'Ada' });
      const job = await api.job(created.ai_processing.triggered_jobs.find(isOfValue).job_id);
      expect(job).toMatchObject({ status: 'completed', outcome: 'generated', retry_count: 0 });
      expect(job.executions.map(({ n, error_code, stored }: Body) => [n, error_code, stored])).toEqual([
        [1, 'parse_failed', false],
        [2, null, true],
      ]);
      const record = await api.settled(created.id);
      expect(record.data.value).toEqual(value);

      const { messages } = stage.simulator.requests()[1]!.body as {
        messages: { role: string; content: string }[];
      };
      const said = messages.filter(({ role }) => role !== 'system');
      expect(said.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
      expect(said[1]!.content).toBe(broken);
      const rows = (await ledgerOf(stage.database, api.tenantId)).filter(({ field }) => field === 'value');
      expect(rows.map(({ n, entry }) => [n, entry])).toEqual([
        [1, 'settled'],
        [2, 'settled'],
      ]);
      for (const row of rows) {
        expect(row.cost).toBeGreaterThan(0);
        expect(row.hold).toBeGreaterThanOrEqual(row.cost);
      }
      expect(Math.round(job.cost_usd * 1e9)).toBe(rows[0]!.cost + rows[1]!.cost);
      expect(Math.round(record.ai.value.cost_usd * 1e9)).toBe(rows[0]!.cost + rows[1]!.cost);
      expect(await heldOf(stage.database, api.tenantId)).toBe(0);
    },
  );

  it('fails without a retry where the second answer cannot be read either, and keeps the old value', async () => {
    const pipelineId = await pipelineOf('number', {});
    stage.simulator.script(answering({ 'Tell of Ada': '41', 'Tell of Bob': 'about forty' }));
    const { id } = await addSettled(api, pipelineId, { name: 'Ada' });
    stage.simulator.clearRequests();
    const edited = await api.patch(`/records/${id}`, { data: { name: 'Bob' } });
    const job = await api.job(edited.ai_processing.triggered_jobs.find(isOfValue).job_id);
    expect(job).toMatchObject({ status: 'failed', error_code: 'parse_failed', retry_count: 0 });
    const record = await api.settled(id);
    expect(record.data.value).toBe(41);
    expect(record.ai.value).toMatchObject({ state: 'failed', error: { code: 'parse_failed' } });
    expect(stage.simulator.requests()).toHaveLength(2);
    const rows = (await ledgerOf(stage.database, api.tenantId)).filter(({ field }) => field === 'value');
    expect(rows.map(({ entry }) => entry)).toEqual(['settled', 'settled', 'settled']);
  });

  it('refuses a budget that has room for the call and none for its repair', async () => {
    const pipelineId = await pipelineOf('number', { max_tokens: 1_000 });
    stage.simulator.script([
      {
        match: { prompt_includes: 'Tell of Ada' },
        action: { type: 'answer', text: 'about forty', usage: { input_tokens: 40, output_tokens: 900 } },
      },
    ]);
    await api.patch('/ai-settings', { monthly_budget_cents: 0.1 });
    const created = await addRecord(api, pipelineId, { name: 'Ada' });
    const job = await api.job(created.ai_processing.triggered_jobs.find(isOfValue).job_id);
    expect(job).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(stage.simulator.requests()).toHaveLength(1);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows.map(({ n, entry }) => [n, entry])).toEqual([[1, 'settled']]);
    expect(Math.round(job.cost_usd * 1e9)).toBe(rows[0]!.cost);
    expect((await api.get(`/records/${created.id}`)).ai.value.state).toBe('blocked');
  });

  it.each([
    ['select', {}, 'ai_config.options.choices'],
    ['structured', {}, 'ai_config.output_schema'],
    ['structured', { output_schema: { type: 'nothing' } }, 'ai_config.output_schema'],
    ['poem', {}, 'ai_config.output_type'],
  ])('%s with %j is refused at its path', async (type, more, path) => {
    const pipelineId = await addPipeline(api, [plain('name')]);
    const field = ai('value', { prompt: 'Tell', output_type: type, ...more });
    const answer = await api.call('POST', `/pipelines/${pipelineId}/fields`, field);
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_ai_config' } });
    expect(answer.body.errors[0].path).toContain(path);
  });
});

function isOfValue(job: { field: string }): boolean {
  return job.field === 'value';
}
