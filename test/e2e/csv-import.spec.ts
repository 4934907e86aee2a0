import type { Api } from '../support/api.js';
import { importCsv, openImport } from '../support/csv.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('a CSV import', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    pipelineId = await addPipeline(api, [
      plain('name', { required: true }),
      plain('size', { field_type: 'number', name: 'Company size' }),
      plain('colour', { field_type: 'select', options: { choices: ['Red', 'Green'] } }),
      ai('summary', { prompt: 'Summarise {name}' }),
    ]);
  });

  async function rows(): Promise<Record<string, unknown>[]> {
    const found = await stage.database.sql<{ data: Record<string, unknown> }>(
      'SELECT data FROM records WHERE tenant_id = $1 AND pipeline_id = $2 ORDER BY id',
      [api.tenantId, pipelineId],
    );
    return found.map(({ data }) => data);
  }

  it('takes slugs or names, a byte order mark, Windows line breaks, quotes and grouped numbers', async () => {
    const table = '\uFEFFname,company SIZE,Colour\r\n"Ada, ""Countess""","1,234.5",Red\r\n\r\nGrace,,\r\n';
    const { status, body } = await importCsv(api, pipelineId, table);
    expect(status).toBe(200);
    expect(body).toEqual({ imported: 2, rejected_count: 0, rejected: [] });
    expect(await rows()).toEqual([
      { name: 'Ada, "Countess"', size: 1234.5, colour: 'Red' },
      { name: 'Grace' },
    ]);
    expect(stage.simulator.requests()).toEqual([]);
    expect((await api.get(`/ai-jobs?pipeline_id=${pipelineId}`)).items).toEqual([]);
  });

  it('rejects bad lines alone, each with everything wrong and the line it starts on', async () => {
    const table = [
      'name,size,colour',
      'One,1,Red',
      '"Two',
      'goes over',
      'three lines",many,Blue',
      'Three,3',
      ',4,Red',
      'Four,4,Green,more',
      'Five,5,Green',
      ',,',
      'Six,6,"Red',
      '',
    ].join('\n');
    const { status, body } = await importCsv(api, pipelineId, table);
    expect(status).toBe(200);
    expect(body).toEqual({
      imported: 2,
      rejected_count: 6,
      rejected: [
        {
          line: 3,
          errors: [
            { path: 'data.size', message: 'Must be a number such as 1,234.5.' },
            { path: 'data.colour', message: 'Must be one of "Red", "Green".' },
          ],
        },
        { line: 6, errors: [{ path: '', message: 'The row has 2 cells, the header has 3.' }] },
        { line: 7, errors: [{ path: 'data.name', message: '"Name" is required.' }] },
        { line: 8, errors: [{ path: '', message: 'The row has 4 cells, the header has 3.' }] },
        { line: 10, errors: [{ path: '', message: 'The row is empty.' }] },
        { line: 11, errors: [{ path: '', message: 'The quote is never closed.' }] },
      ],
    });
    expect((await rows()).map(({ name }) => name)).toEqual(['One', 'Five']);
  });

  it.each([
    ['nothing', '', 422, 'header', 'The file is empty: send a header line first.'],
    [
      'an unknown column',
      'nam,size\nAda,1',
      422,
      'header.1',
      'There is no field "nam"; did you mean "name" or "Name"?',
    ],
    ['a column twice', 'name,size,Name\nAda,1,x', 422, 'header.3', '"name" is column 1 already.'],
    ['a column without a name', 'name,\nAda,1', 422, 'header.2', 'The column has no name.'],
    [
      'no end of the first quote',
      '"name,size\nAda,1',
      422,
      'header',
      'The quote in the first line is never closed.',
    ],
  ])('is refused whole for its header: %s', async (_, table, status, path, message) => {
    const answer = await importCsv(api, pipelineId, table);
    expect([answer.status, answer.body.errors]).toEqual([status, [{ path, message }]]);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await rows()).toEqual([]);
  });

  it('is refused where it is no UTF-8 CSV', async () => {
    const latin = Buffer.from('name\nJos\xe9', 'latin1');
    const encoding = await importCsv(api, pipelineId, latin);
    expect([encoding.status, encoding.body.code]).toEqual([422, 'csv_malformed']);
    expect(encoding.body.detail).toContain('CSV UTF-8');
    const json = await api.call('POST', `/pipelines/${pipelineId}/import`, { name: 'Ada' });
    expect([json.status, json.body.code]).toEqual([415, 'unsupported_media_type']);
    const query = await importCsv(api, pipelineId, 'name\nAda', '?generate=maybe');
    expect([query.status, query.body.errors[0].path]).toEqual([422, 'generate']);
    expect(await rows()).toEqual([]);
  });

  it('of 2,000 rows comes in transactions of 500, in order, and generates where asked to', async () => {
    const lines = Array.from({ length: 2_000 }, (_, n) => (n === 1_250 ? `Name ${n},bad` : `Name ${n},${n}`));
    const { body } = await importCsv(api, pipelineId, `name,size\n${lines.join('\n')}\n`);
    expect(body).toMatchObject({ imported: 1_999, rejected_count: 1, rejected: [{ line: 1_252 }] });
    const names = (await rows()).map(({ name }) => name);
    expect(names).toHaveLength(1_999);
    expect([names[0], names[1_249], names[1_250], names.at(-1)]).toEqual([
      'Name 0',
      'Name 1249',
      'Name 1251',
      'Name 1999',
    ]);
    const transactions = await stage.database.sql(
      'SELECT count(*)::int AS rows FROM records WHERE tenant_id = $1 AND pipeline_id = $2 GROUP BY xmin ORDER BY min(id)',
      [api.tenantId, pipelineId],
    );
    expect(transactions).toEqual([{ rows: 500 }, { rows: 500 }, { rows: 499 }, { rows: 500 }]);

    await importCsv(api, pipelineId, 'name\nGenerated one\nGenerated two', '?generate=true');
    const made = await api.until('both are generated', async () => {
      const { summary } = await api.get(`/pipelines/${pipelineId}/ai/states`);
      return summary.ready === 2 ? summary : undefined;
    });
    expect(made).toEqual({ empty: 1_999, ready: 2 });
    const { items: jobs } = await api.get(`/ai-jobs?pipeline_id=${pipelineId}`);
    expect(jobs).toMatchObject(Array(2).fill({ cause: { origin: 'import' }, lane: 'backfill' }));
  });

  it('whose sender goes away keeps whole transactions and nothing of the last', async () => {
    const lines = Array.from({ length: 600 }, (_, n) => `Name ${n},${n}\n`);
    const sending = openImport(api, pipelineId);
    sending.send(`name,size\n${lines.join('')}`);
    const saved = () => api.get(`/pipelines/${pipelineId}/records?limit=1`);
    await api.until('the first 500 rows are saved', async () => (await saved()).items.length > 0);
    sending.send('"never fin');
    sending.abort();
    await api.until('no transaction of the import is open', async () => {
      const [open] = await stage.database.sql<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity
          WHERE datname = current_database() AND usename = 'fieldsmith_owner' AND state LIKE '%transaction%'`,
      );
      return open?.count === 0;
    });
    expect(await rows()).toHaveLength(500);
    const { body } = await importCsv(api, pipelineId, 'name\nAfterwards');
    expect(body.imported).toBe(1);
    expect(await rows()).toHaveLength(501);
  });

  it.each<[string, (editor: Api) => Promise<unknown>]>([
    ['is removed', (editor) => api.call('DELETE', `/users/${editor.userId}`)],
    ['gets another role', (editor) => api.patch(`/users/${editor.userId}`, { role: 'admin' })],
  ])('whose sender %s stops with 401, and keeps whole transactions', async (_, endAccess) => {
    const editor = await api.as('editor');
    const table = (count: number) => Array.from({ length: count }, (_row, n) => `Name ${n},${n}\n`).join('');
    const sending = openImport(editor, pipelineId);
    sending.send(`name,size\n${table(600)}`);
    const saved = () => api.get(`/pipelines/${pipelineId}/records?limit=1`);
    await api.until('the first 500 rows are saved', async () => (await saved()).items.length > 0);
    await endAccess(editor);
    sending.send(table(100));
    const { status, headers, body } = await sending.finish();
    expect([status, body.code]).toEqual([401, 'unauthenticated']);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body.detail).toContain('500 rows were imported before.');
    expect(await rows()).toHaveLength(500);
  });
});
