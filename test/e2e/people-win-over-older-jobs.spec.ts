import type { Api, Body } from '../support/api.js';
import { addPipeline, addRecord, addSettled, ai, edit, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const ANSWERS = answering({
  'Summarise Ada': 'About Ada',
  'Summarise Bob': 'About Bob',
  'Summarise Eve': 'About Eve',
});
const WRITTEN_SINCE = { status: 'cancelled', error_code: 'person_was_faster' };

describe('what a person writes where the next generation may write over it', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;

  beforeAll(async () => {
    // One job at a time in each lane: the others wait.
    stage = await setStage({ AI_TENANT_WINDOW: '1', AI_RETRY_BASE_MS: '1' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    const config = { prompt: 'Summarise {name}', cache_duration: 0, on_manual_edit: 'overwrite' };
    pipelineId = await addPipeline(api, [plain('name'), ai('summary', config)]);
  });

  afterEach(() => {
    stage.simulator.clearScript();
    stage.simulator.release();
  });

  const write = (id: string, data: Record<string, unknown>): Promise<Body> =>
    api.patch(`/records/${id}`, { data });

  /** The jobs of a record, the oldest first. */
  async function jobsOf(id: string): Promise<Body[]> {
    const { items } = await api.get(`/ai-jobs?record_id=${id}`);
    return items.reverse();
  }

  /** A record whose value is being generated. */
  async function addBusy(...script: Parameters<typeof stage.simulator.script>[0]): Promise<string> {
    stage.simulator.script([...script, ...ANSWERS]);
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    await stage.simulator.waitForRequests(1);
    return id;
  }

  async function expectKept(id: string): Promise<void> {
    const record = await api.settled(id);
    expect(record.data.summary).toBe('My words');
    expect(record.ai.summary.state).toBe('overridden');
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada']);
  }

  /** It is the next generation that may. */
  async function expectOverwrittenNext(id: string): Promise<void> {
    const edited = await edit(api, id, { name: 'Eve' });
    expect(edited.data.summary).toBe('About Eve');
    expect(edited.ai.summary.state).toBe('ready');
  }

  it('stands against a job that waits since before', async () => {
    await addBusy(holding('Summarise Ada', 'About Ada'));
    const { id } = await addRecord(api, pipelineId, { name: 'Bob' });
    const written = await write(id, { summary: 'My words' });
    expect(written.ai.summary.state).toBe('overridden');
    expect(await jobsOf(id)).toMatchObject([WRITTEN_SINCE]);
    stage.simulator.release();
    await expectKept(id);
    await expectOverwrittenNext(id);
  });

  it('stands against one in flight, and one that waits for its end', async () => {
    const id = await addBusy(holding('Summarise Ada', 'About Ada'));
    await write(id, { name: 'Bob' });
    await write(id, { summary: 'My words' });
    stage.simulator.release();
    await expectKept(id);
    expect(await jobsOf(id)).toMatchObject([
      { status: 'completed', outcome: 'discarded', error_code: 'person_was_faster' },
      WRITTEN_SINCE,
    ]);
    await expectOverwrittenNext(id);
  });

  it('stands against one in flight that would be tried again', async () => {
    const failing = { type: 'hold', then: { type: 'error', status: 500 } } as const;
    const id = await addBusy({ times: 1, action: failing });
    await write(id, { summary: 'My words' });
    stage.simulator.release();
    await expectKept(id);
    expect(await jobsOf(id)).toMatchObject([{ status: 'cancelled', retry_count: 1 }]);
    await expectOverwrittenNext(id);
  });

  it('stands once it is restored, too', async () => {
    stage.simulator.script(ANSWERS);
    const { id } = await addSettled(api, pipelineId, { name: 'Bob' });
    const { execution_id } = (await api.get(`/records/${id}/ai/summary/history`)).items[0];
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    await addBusy(holding('Summarise Ada', 'About Ada'));
    await write(id, { name: 'Eve' });
    await api.post(`/records/${id}/ai/summary/restore`, { execution_id });
    stage.simulator.release();
    expect((await api.settled(id)).data.summary).toBe('About Bob');
    expect((await jobsOf(id)).at(-1)).toMatchObject(WRITTEN_SINCE);
  });

  it('gives way to what a later edit asks for, though a call was in flight', async () => {
    const id = await addBusy(holding('Summarise Ada', 'About Ada'));
    await write(id, { summary: 'My words' });
    await write(id, { name: 'Eve' });
    stage.simulator.release();
    const record = await api.settled(id);
    expect(record.data.summary).toBe('About Eve');
    expect(prompts(stage.simulator)).toEqual(['Summarise Ada', 'Summarise Eve']);
  });
});
