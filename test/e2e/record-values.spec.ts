import type { Api } from '../support/api.js';
import { addPipeline, plain, type FieldSpec } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const CHOICES = { choices: ['Red', 'Green'] };

const FIELDS: FieldSpec[] = [
  plain('title', { required: true }),
  plain('notes', { field_type: 'textarea' }),
  plain('size', { field_type: 'number' }),
  plain('price', { field_type: 'currency', options: { currency: 'EUR' } }),
  plain('active', { field_type: 'boolean' }),
  plain('since', { field_type: 'date' }),
  plain('colour', { field_type: 'select', options: CHOICES }),
  plain('colours', { field_type: 'multi_select', options: CHOICES }),
  plain('mail', { field_type: 'email' }),
  plain('phone', { field_type: 'phone' }),
  plain('web', { field_type: 'url' }),
  plain('extra', { field_type: 'json' }),
];

const RIGHT = {
  title: 'Engine',
  notes: 'Line one\nLine two',
  size: -1.5,
  price: 1999.99,
  active: false,
  since: '2024-02-29',
  colour: 'Red',
  colours: ['Green', 'Red'],
  mail: 'ada@example.com',
  phone: '+49 (30) 123-4567 ext 8',
  web: 'https://example.com/a?b=c#d',
  extra: { deep: [{ toString: 'kept' }], empty: {}, n: null },
};

const WRONG: [string, unknown, string][] = [
  ['title', '  ', '"Title" is required.'],
  ['notes', 5, 'Must be a text.'],
  ['size', '12', 'Must be a finite number.'],
  ['price', true, 'Must be a finite number.'],
  ['active', 'yes', 'Must be true or false.'],
  ['since', '2023-02-29', 'Must be a date as YYYY-MM-DD.'],
  ['colour', 'red', 'Must be one of "Red", "Green".'],
  ['colours', ['Red', 'Red'], 'Names something twice.'],
  ['mail', 'ada@', 'Must be an e-mail address such as name@example.com.'],
  ['phone', 'call me', 'Must be a phone number such as +49 30 1234567.'],
  [
    'web',
    'javascript:alert(1)',
    'Must be a web address such as https://example.com, at most 2,048 characters.',
  ],
  ['extra', nested(21), 'Nested too deeply: at most 20 levels.'],
];

/** Lists within lists. */
function nested(levels: number): unknown {
  return levels === 0 ? 'deep' : [nested(levels - 1)];
}

describe('the values of a record', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, FIELDS, 'Things');
  });

  afterAll(() => stage.close());

  const path = () => `/pipelines/${pipelineId}/records`;

  async function storedRecords(): Promise<unknown[]> {
    return stage.database.sql('SELECT * FROM records WHERE tenant_id = $1 ORDER BY id', [api.tenantId]);
  }

  it('of every type are kept as they were given, and null clears', async () => {
    const record = await api.post(path(), { data: RIGHT });
    expect(record).toMatchObject({ pipeline_id: pipelineId, version: 1, data: RIGHT, ai: {} });
    expect(await api.get(`/records/${record.id}`)).toEqual(record);
    const cleared = await api.patch(`/records/${record.id}`, { data: { notes: null, size: null } });
    const { notes: _notes, size: _size, ...rest } = RIGHT;
    expect(cleared.data).toEqual(rest);
    expect(cleared.version).toBe(2);
    const same = await api.patch(`/records/${record.id}`, { data: { title: 'Engine' } });
    expect([same.version, same.updated_at]).toEqual([2, cleared.updated_at]);
  });

  it('that are wrong are all named at once, and nothing is stored', async () => {
    const before = await storedRecords();
    const data = Object.fromEntries(WRONG.map(([slug, value]) => [slug, value]));
    const answer = await api.call('POST', path(), { data: { ...data, titel: 'x' } });
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_input']);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body.errors).toEqual([
      { path: 'data.titel', message: 'There is no field "titel"; did you mean "title"?' },
      ...WRONG.map(([slug, , message]) => ({ path: `data.${slug}`, message })),
    ]);
    expect(await storedRecords()).toEqual(before);
  });

  it('that are wrong in a change leave the record as it was', async () => {
    const { id } = await api.post(path(), { data: RIGHT });
    const before = await storedRecords();
    const answer = await api.call('PATCH', `/records/${id}`, {
      data: { notes: 'good', size: 'bad', title: null },
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toEqual([
      'data.title',
      'data.size',
    ]);
    expect(await storedRecords()).toEqual(before);
  });

  it('that are related must be there, in their pipeline', async () => {
    const companies = await addPipeline(api, [plain('name')], 'Companies');
    const link = {
      name: 'Company',
      slug: 'company',
      field_type: 'relation',
      options: { pipeline_id: companies },
    };
    const people = await addPipeline(api, [plain('name'), link], 'People');
    const company = await api.post(`/pipelines/${companies}/records`, { data: { name: 'Engines Ltd' } });
    const second = await api.post(`/pipelines/${companies}/records`, { data: { name: 'Looms Ltd' } });
    const person = await api.post(`/pipelines/${people}/records`, {
      data: { name: 'Ada', company: company.id },
    });
    expect(person.data).toEqual({ name: 'Ada', company: company.id });
    const many = await api.patch(`/records/${person.id}`, { data: { company: [company.id, second.id] } });
    expect(many.data.company).toEqual([company.id, second.id]);

    for (const wrong of [person.id, pipelineId, 'no id', [company.id, company.id]]) {
      const answer = await api.call('PATCH', `/records/${person.id}`, { data: { company: wrong } });
      expect([answer.status, answer.body.errors[0].path]).toEqual([422, 'data.company']);
    }
    // What a record points at already may be gone; the record can be changed all the same.
    await api.ok('DELETE', `/records/${second.id}`);
    const renamed = await api.patch(`/records/${person.id}`, { data: { name: 'Ada L.' } });
    expect(renamed.data).toEqual({ name: 'Ada L.', company: [company.id, second.id] });
    const again = await api.call('POST', `/pipelines/${people}/records`, { data: { company: second.id } });
    expect(again.body.errors).toEqual([
      { path: 'data.company', message: `There is no record ${second.id} in the related pipeline.` },
    ]);
    const refused = await api.call('DELETE', `/pipelines/${companies}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'pipeline_in_use']);
    expect(refused.body.detail).toContain('"Company" of People');
  });
});
