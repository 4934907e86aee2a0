import type { Api, Body } from '../support/api.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const CSV = 'name,size\nAda,1\nBob,none\nCleo,3\n';

describe('an import', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('size', { field_type: 'number' }),
      ai('summary', { prompt: 'Summarise {name}' }),
      ai('motto', { prompt: 'A motto', condition: '{size}' }),
    ]);
  });

  async function upload(query: string, csv = CSV): Promise<Body> {
    const answer = await api.call('POST', `/pipelines/${pipelineId}/import${query}`, csv, {
      'content-type': 'text/csv',
    });
    expect(answer.status).toBe(200);
    return answer.body;
  }

  async function jobs(): Promise<Body[]> {
    return (await api.get('/ai-jobs')).items;
  }

  it.each(['', '?generate=false'])('with %j adds records and triggers nothing', async (query) => {
    const result = await upload(query);
    expect(result).toMatchObject({ imported: 2, rejected_count: 1 });
    expect(result.rejected).toEqual([
      { line: 3, errors: [{ path: 'data.size', message: expect.any(String) }] },
    ]);
    expect(await jobs()).toEqual([]);
    const { items } = await api.get(`/pipelines/${pipelineId}/records`);
    expect(items.map(({ data }: Body) => data.name).sort()).toEqual(['Ada', 'Cleo']);
    for (const { ai: values } of items) expect(values.summary).toEqual({ state: 'empty' });
    expect(stage.simulator.requests()).toEqual([]);
  });

  it('with generate=true queues the fields of every new record in the backfill lane', async () => {
    expect(await upload('?generate=true')).toMatchObject({ imported: 2, rejected_count: 1 });
    const { items } = await api.get(`/pipelines/${pipelineId}/records`);
    for (const { id } of items) {
      const { ai: values } = await api.settled(id);
      expect(values.summary.state).toBe('ready');
    }
    const asked = prompts(stage.simulator).filter((prompt) => prompt.startsWith('Summarise'));
    expect(asked.sort()).toEqual(['Summarise Ada', 'Summarise Cleo']);
    const all = await jobs();
    expect(all).toHaveLength(4);
    for (const job of all) expect(job).toMatchObject({ lane: 'backfill', cause: { origin: 'import' } });
  });

  it('of more rows than fit one transaction imports them all and generates none', async () => {
    const rows = Array.from({ length: 1_200 }, (_, n) => `Lead ${n},${n}`);
    expect(await upload('', `name,size\n${rows.join('\n')}\n`)).toEqual({
      imported: 1_200,
      rejected_count: 0,
      rejected: [],
    });
    expect(await jobs()).toEqual([]);
    const states = await api.get(`/pipelines/${pipelineId}/ai/states`);
    expect(states).toEqual({ summary: { empty: 1_200 }, motto: { empty: 1_200 } });
  });

  it('takes a value of an AI field as the words of a person', async () => {
    await upload('?generate=true', 'name,summary\nAda,Imported words\n');
    const { items } = await api.get(`/pipelines/${pipelineId}/records`);
    const record = await api.settled(items[0].id);
    expect(record.data.summary).toBe('Imported words');
    expect(record.ai.summary.state).toBe('overridden');
  });
});
