import type { Answer, Api, Body } from '../support/api.js';
import { importCsv } from '../support/csv.js';
import { addPipeline, addRecord, ai, configure, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const CHOICES = { options: { choices: ['cold', 'warm', 'hot'] } };
const SCHEMA = {
  output_schema: {
    type: 'object',
    properties: { grade: { type: 'integer', minimum: 1 } },
    required: ['grade'],
    additionalProperties: false,
  },
};

/** Output type, what more its field needs, what a person may write. */
const GOOD: [string, Record<string, unknown>, unknown][] = [
  ['text', {}, ' My words\n'],
  ['text', {}, ''],
  ['number', {}, -1234.5],
  ['boolean', {}, false],
  ['date', {}, '2026-02-28'],
  ['select', CHOICES, 'warm'],
  ['multi_select', CHOICES, ['hot', 'cold']],
  ['structured', SCHEMA, { grade: 2 }],
  ['json', {}, 'just a text'],
  ['json', {}, [1, { a: null }]],
  ['yaml', {}, { name: 'Ada' }],
  ['html', {}, '<p>Hi <b>Ada</b></p>'],
  ['xml', {}, '<lead><name>Ada</name></lead>'],
];

/** The same, what a person may not write, and what tells them how to. */
const BAD: [string, Record<string, unknown>, unknown, RegExp][] = [
  ['text', {}, { a: 1 }, /^would be kept as "\{\\"a\\":1\}": write it like that$/],
  ['number', {}, 'lots', /^is no value of the output type number: .*Answer with one number/],
  ['number', {}, '5', /^would be kept as 5: write it like that$/],
  ['boolean', {}, 'yes', /^would be kept as true: /],
  ['date', {}, '11/12/2026', /^is no value of the output type date: /],
  ['select', CHOICES, 'lukewarm', /^is no value of the output type select: .*"cold", "warm", "hot"/],
  ['select', CHOICES, 'Warm', /^would be kept as "warm": /],
  ['multi_select', CHOICES, ['hot', 'lukewarm'], /"lukewarm" is not one of the choices/],
  ['structured', SCHEMA, { grade: 0 }, /^is no value of the output type structured: .*grade/],
  ['structured', SCHEMA, { grade: 1, more: 2 }, /^is no value of the output type structured: .*more/],
  ['html', {}, '<p>Hi</p><script>steal()</script>', /^would be kept as "<p>Hi<\/p>": /],
];

describe('what people write into AI fields', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
  });

  afterAll(() => stage.close());

  function pipelineOf(type: string, more: Record<string, unknown> = {}): Promise<string> {
    const config = { prompt: 'Tell of {name}', output_type: type, auto_regenerate: false, ...more };
    return addPipeline(api, [plain('name'), ai('value', config)]);
  }

  async function recordOf(type: string, more: Record<string, unknown> = {}): Promise<Body> {
    return addRecord(api, await pipelineOf(type, more), { name: 'Ada' });
  }

  const write = (id: string, data: Record<string, unknown>): Promise<Answer> =>
    api.call('PATCH', `/records/${id}`, { data });

  it.each(GOOD)('may be what an answer would be kept as: %s %j %j', async (type, more, value) => {
    const { id } = await recordOf(type, more);
    const { status, body } = await write(id, { value });
    expect([status, body.data.value, body.ai.value.state]).toEqual([200, value, 'overridden']);
  });

  it.each(BAD)('may be nothing else: %s %j %j', async (type, more, value, message) => {
    const pipelineId = await pipelineOf(type, more);
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    const refused = { status: 422, body: { errors: [{ path: 'data.value' }] } };
    const answers = [
      await write(id, { name: 'Bob', value }),
      await api.call('POST', `/pipelines/${pipelineId}/records`, { data: { name: 'Eve', value } }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject(refused);
      expect(answer.body.errors[0].message).toMatch(message);
    }
    expect((await api.get(`/records/${id}`)).data).toEqual({ name: 'Ada' });
    expect((await api.get(`/pipelines/${pipelineId}/records`)).items).toHaveLength(1);
  });

  it('may be cleared, whatever the type', async () => {
    const { id } = await recordOf('number');
    expect((await write(id, { value: 5 })).status).toBe(200);
    const { status, body } = await write(id, { value: null });
    expect([status, body.data.value, body.ai.value.state]).toEqual([200, undefined, 'overridden']);
  });

  it('is told wrong together with everything else', async () => {
    const { id } = await recordOf('number');
    const { body } = await write(id, { nmae: 'Bob', value: 'lots' });
    expect(body.errors.map(({ path }: Body) => path)).toEqual(['data.nmae', 'data.value']);
  });

  it('may stay as it is once the field has another type', async () => {
    const pipelineId = await pipelineOf('text');
    const { id } = await addRecord(api, pipelineId, { name: 'Ada', value: 'lots' });
    await configure(api, pipelineId, 'value', { prompt: 'Count {name}', output_type: 'number' });
    expect((await write(id, { name: 'Bob', value: 'lots' })).status).toBe(200);
    expect((await write(id, { value: 'more' })).status).toBe(422);
  });

  it('is read from a table as answers are', async () => {
    const pipelineId = await pipelineOf('number');
    const { status, body } = await importCsv(api, pipelineId, 'name,value\nAda,"1,234.5"\nBob,lots\nEve,\n');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      imported: 2,
      rejected: [{ line: 3, errors: [{ path: 'data.value', message: expect.stringMatching(/number/) }] }],
    });
    const { items } = await api.get(`/pipelines/${pipelineId}/records`);
    const values = Object.fromEntries(items.map(({ data }: Body) => [data.name, data.value]));
    expect(values).toEqual({ Ada: 1234.5, Eve: undefined });
  });
});
