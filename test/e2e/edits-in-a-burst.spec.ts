import type { Api } from '../support/api.js';
import { heldOf, ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, edit, plain } from '../support/pipelines.js';
import { answering, holding, prompts } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const EDITS = 20;

describe('edits in a burst', () => {
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

  it('makes at most three calls a field for twenty edits, the last on the last edit', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', cache_duration: 0 }),
      ai('pitch', { prompt: 'Pitch {name}', cache_duration: 0 }),
    ]);
    const last = `Name ${EDITS}`;
    stage.simulator.script(
      answering({ [`Summarise ${last}.`]: 'The last summary', [`Pitch ${last}.`]: 'The last pitch' }),
    );
    const { id } = await addSettled(api, pipelineId, { name: 'Name 0.' });
    stage.simulator.clearRequests();

    const begun = performance.now();
    for (let n = 1; n <= EDITS; n += 1) await api.patch(`/records/${id}`, { data: { name: `Name ${n}.` } });
    const most = mostCalls(performance.now() - begun);
    const record = await api.settled(id);

    expect(record.data).toMatchObject({ summary: 'The last summary', pitch: 'The last pitch' });
    expect(record.ai.summary.state).toBe('ready');
    const asked = prompts(stage.simulator);
    for (const verb of ['Summarise', 'Pitch']) {
      const calls = asked.filter((prompt) => prompt.startsWith(verb));
      expect(calls.length).toBeLessThanOrEqual(most);
      expect(calls.at(-1)).toBe(`${verb} ${last}.`);
    }
  });

  it('folds every edit made while a call is in flight into one more call', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}.', cache_duration: 0 }),
    ]);
    stage.simulator.script([
      holding('Summarise Name 0.', 'The first'),
      ...answering({ 'Summarise Name 20.': 'The last' }),
    ]);
    const { id } = await addRecord(api, pipelineId, { name: 'Name 0' });
    await stage.simulator.waitForRequests(1);
    for (let n = 1; n <= EDITS; n += 1) await api.patch(`/records/${id}`, { data: { name: `Name ${n}` } });
    stage.simulator.release();

    expect((await api.settled(id)).data.summary).toBe('The last');
    expect(prompts(stage.simulator)).toEqual(['Summarise Name 0.', 'Summarise Name 20.']);
  });

  it('stores a value whose inputs changed meanwhile as stale, and the newer job refreshes it', async () => {
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    stage.simulator.script([
      holding('Summarise Ada', 'About Ada'),
      holding('Summarise Grace', 'About Grace'),
    ]);
    const { id } = await addRecord(api, pipelineId, { name: 'Ada' });
    await stage.simulator.waitForRequests(1);
    await api.patch(`/records/${id}`, { data: { name: 'Grace' } });
    stage.simulator.release();

    await stage.simulator.waitForRequests(2);
    const meanwhile = await api.get(`/records/${id}`);
    expect(meanwhile.data).toEqual({ name: 'Grace', summary: 'About Ada' });
    expect(meanwhile.ai.summary).toMatchObject({ state: 'generating', stale_reasons: ['inputs'] });
    stage.simulator.release();

    const record = await api.settled(id);
    expect(record.data.summary).toBe('About Grace');
    expect(record.ai.summary).toMatchObject({ state: 'ready' });
    expect(record.ai.summary.stale_reasons).toBeUndefined();
    const { items } = await api.get(`/records/${id}/ai/summary/history`);
    expect(items.map(({ value }: { value: string }) => value)).toEqual(['About Grace', 'About Ada']);
  });

  it("keeps a person's words that came while the call was in flight, and pays for the call", async () => {
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    stage.simulator.script([holding('Summarise Ada', 'About Ada')]);
    const created = await addRecord(api, pipelineId, { name: 'Ada' });
    await stage.simulator.waitForRequests(1);
    await api.patch(`/records/${created.id}`, { data: { summary: 'In my own words' } });
    stage.simulator.release();

    const job = await api.job(created.ai_processing.triggered_jobs[0].job_id);
    expect(job).toMatchObject({
      status: 'completed',
      outcome: 'discarded',
      error_code: 'person_was_faster',
    });
    expect(job.cost_usd).toBeGreaterThan(0);
    const record = await api.settled(created.id);
    expect(record.data.summary).toBe('In my own words');
    expect(record.ai.summary.state).toBe('overridden');

    const [row, ...more] = await ledgerOf(stage.database, api.tenantId);
    expect(row).toMatchObject({ entry: 'settled', outcome: 'answered', field: 'summary' });
    expect(row!.cost).toBe(Math.round(job.cost_usd * 1e9));
    expect(more).toEqual([]);
    expect(await heldOf(stage.database, api.tenantId)).toBe(0);
    const { items } = await api.get(`/records/${created.id}/ai/summary/history`);
    expect(items).toEqual([]);
  });

  it('runs an edit at once where the value is at rest', async () => {
    const pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}', debounce_ms: 60_000 }),
    ]);
    stage.simulator.script(answering({ 'Summarise Ada': 'About Ada' }));
    const record = await addRecord(api, pipelineId, {});
    expect((await edit(api, record.id, { name: 'Ada' })).data.summary).toBe('About Ada');
  });
});

/**
 * Three, unless a busy machine took so long over the edits that they are no burst: calls of one field begin at least
 * 250 ms apart, and one more follows the last edit.
 */
function mostCalls(elapsedMs: number): number {
  return Math.max(3, 2 + Math.floor(elapsedMs / 250));
}
