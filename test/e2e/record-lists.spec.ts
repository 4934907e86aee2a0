import type { Api } from '../support/api.js';
import { importCsv } from '../support/csv.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const CHOICES = { choices: ['Red', 'Green', 'Blue'] };

describe('a list of records', () => {
  let stage: Stage;
  let api: Api;
  let path: string;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    const pipelineId = await addPipeline(api, [
      plain('name'),
      plain('size', { field_type: 'number' }),
      plain('active', { field_type: 'boolean' }),
      plain('colours', { field_type: 'multi_select', options: CHOICES }),
      plain('extra', { field_type: 'json' }),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
    ]);
    path = `/pipelines/${pipelineId}/records`;
    const rows = Array.from({ length: 230 }, (_, n) => {
      const colours = ['Red', 'Red;Green', 'Blue', ''][n % 4];
      return `Name ${n},${n % 10},${n % 2 === 0},${colours}`;
    });
    const { body } = await importCsv(api, pipelineId, `name,size,active,colours\n${rows.join('\n')}`);
    expect(body.imported).toBe(230);
  });

  afterAll(() => stage.close());

  const names = async (query: string): Promise<string[]> => {
    const { items } = await api.get(`${path}?limit=200&${query}`);
    return items.map(({ data }: { data: { name: string } }) => data.name);
  };

  it('comes in pages, each record once, in the order they were made, also while some are added', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null; page += 1) {
      const { items, next_cursor } = await api.get(`${path}?limit=60${cursor && `&cursor=${cursor}`}`);
      expect(items.length).toBeLessThanOrEqual(60);
      seen.push(...items.map(({ data }: { data: { name: string } }) => data.name));
      cursor = next_cursor;
      if (page === 0) await api.post(path, { data: { name: 'Added' } });
    }
    expect(seen).toEqual([...Array.from({ length: 230 }, (_, n) => `Name ${n}`), 'Added']);
    expect((await api.get(path)).items).toHaveLength(50);
  });

  it('is filtered by values as the types of their fields', async () => {
    expect(await names('filter[name]=Name%207')).toEqual(['Name 7']);
    expect(await names('filter[size]=3')).toHaveLength(23);
    expect(await names('filter[size]=3&filter[active]=yes')).toEqual([]);
    expect(await names('filter[size]=4.0&filter[active]=true')).toHaveLength(23);
    expect(await names('filter[colours]=Red')).toHaveLength(116);
    expect(await names('filter[colours]=Red;Green')).toHaveLength(58);
    expect(await names('filter[colours]=&filter[size]=3')).toHaveLength(12);
  });

  it('names every parameter that is wrong', async () => {
    const wrong = 'limit=201&cursor=nonsense&order=name&filter[siz]=1&filter[extra]=1&filter[size]=big';
    const { status, body } = await api.call('GET', `${path}?${wrong}`);
    expect([status, body.code]).toEqual([422, 'invalid_input']);
    expect(body.errors.map((error: { path: string }) => error.path)).toEqual(['limit', 'cursor', 'order']);
    const filters = await api.call('GET', `${path}?filter[siz]=1&filter[extra]=1&filter[size]=big`);
    expect(filters.body.errors).toEqual([
      { path: 'filter[siz]', message: 'There is no field "siz"; did you mean "size"?' },
      { path: 'filter[extra]', message: 'A json field cannot be filtered by.' },
      { path: 'filter[size]', message: 'Must be a number such as 1,234.5.' },
    ]);
  });

  it('shows the state of AI values, and no record that was deleted', async () => {
    const record = await addRecord(api, path.split('/')[2]!, { name: 'Gone' });
    const { items } = await api.get(`${path}?filter[name]=Gone`);
    expect(items).toMatchObject([{ id: record.id, ai: { summary: { state: expect.any(String) } } }]);
    await api.settled(record.id);
    expect((await api.call('DELETE', `/records/${record.id}`)).status).toBe(204);
    expect(await names('filter[name]=Gone')).toEqual([]);
    expect((await api.call('GET', `/records/${record.id}`)).status).toBe(404);
    expect((await api.call('DELETE', `/records/${record.id}`)).status).toBe(404);
  });
});
