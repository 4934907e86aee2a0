import { randomUUID } from 'node:crypto';
import type { Api, Body } from '../support/api.js';
import { tablesHolding } from '../support/find-text.js';
import { heldOf, ledgerOf } from '../support/ledger.js';
import { addPipeline, addRecord, addSettled, ai, plain } from '../support/pipelines.js';
import { answering, holding } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

describe('what is deleted while a job for it runs', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  /** What must be found nowhere; another one in each test. */
  let secret: string;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());
  beforeEach(async () => {
    secret = `Ada-${randomUUID()}`;
    stage.simulator.script([holding('Summarise ', `About ${secret}`)]);
    stage.simulator.clearRequests();
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      ai('summary', { prompt: 'Summarise {name}' }),
      ai('advice', { prompt: 'Advise {summary}, {name}' }),
    ]);
  });

  /** Adds a record, waits until its call is held, deletes, and lets the call end. @returns its job. */
  async function deleteMeanwhile(path: (recordId: string) => string): Promise<Body> {
    const { id, ai_processing: made } = await addRecord(api, pipelineId, { name: secret });
    await stage.simulator.waitForRequests(1);
    await api.ok('DELETE', path(id));
    stage.simulator.release();
    const jobs: { field: string; job_id: string }[] = made.triggered_jobs;
    const idOf = (field: string) => jobs.find((job) => job.field === field)!.job_id;
    const waiting = await api.job(idOf('advice'));
    expect(waiting).toMatchObject({ status: 'cancelled', tokens_used: 0 });
    return api.job(idOf('summary'));
  }

  async function expectAccounted(job: Body): Promise<void> {
    expect(job.cost_usd).toBeGreaterThan(0);
    const rows = await ledgerOf(stage.database, api.tenantId);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ entry: 'settled', outcome: 'answered', field: 'summary' });
    expect(rows[0]!.cost).toBe(Math.round(job.cost_usd * 1e9));
    expect(await heldOf(stage.database, api.tenantId)).toBe(0);
    const { items } = await api.get('/budgets');
    const tenant = items.find(({ scope }: { scope: string }) => scope === 'tenant');
    expect(tenant).toMatchObject({ held_cents: 0 });
    expect(tenant.spent_cents).toBeCloseTo(job.cost_cents, 9);
    expect(stage.simulator.requests()).toHaveLength(1);
  }

  it('a record: the job is cancelled, its call is paid, nothing of it is kept', async () => {
    const job = await deleteMeanwhile((id) => `/records/${id}`);
    expect(job).toMatchObject({ status: 'cancelled', error_code: 'record_gone' });
    await expectAccounted(job);
    expect(await tablesHolding(stage.database, secret)).toEqual([]);
  });

  it('a field: the job is cancelled, its call is paid, no value of it comes back', async () => {
    await api.ok('DELETE', `/pipelines/${pipelineId}/fields/advice`);
    const created = await addRecord(api, pipelineId, { name: secret });
    await stage.simulator.waitForRequests(1);
    await api.ok('DELETE', `/pipelines/${pipelineId}/fields/summary`);
    stage.simulator.release();
    const job = await api.job(created.ai_processing.triggered_jobs[0].job_id);
    expect([job.status, job.outcome, job.error_code]).toEqual(['cancelled', null, 'record_gone']);
    await expectAccounted(job);
    expect((await api.get(`/records/${created.id}`)).data).toEqual({ name: secret });
    const values = await stage.database.sql('SELECT FROM ai_values WHERE tenant_id = $1', [api.tenantId]);
    expect(values).toEqual([]);
  });

  it('a pipeline: the jobs are cancelled and their calls are paid', async () => {
    const job = await deleteMeanwhile(() => `/pipelines/${pipelineId}`);
    expect([job.status, job.outcome, job.error_code]).toEqual(['cancelled', null, 'record_gone']);
    await expectAccounted(job);
    expect(await tablesHolding(stage.database, secret)).toEqual([]);
  });

  it('a job that is stopped: its result is thrown away, its call is paid', async () => {
    const created = await addRecord(api, pipelineId, { name: secret });
    await stage.simulator.waitForRequests(1);
    expect(await api.post(`/records/${created.id}/ai/summary/stop`)).toEqual({ stopped: 1 });
    expect(await api.post(`/records/${created.id}/ai/advice/stop`)).toEqual({ stopped: 1 });
    stage.simulator.release();
    const jobs: { field: string; job_id: string }[] = created.ai_processing.triggered_jobs;
    const job = await api.job(jobs.find(({ field }) => field === 'summary')!.job_id);
    expect(job).toMatchObject({ status: 'cancelled', error_code: 'cancelled' });
    await expectAccounted(job);
    expect((await api.settled(created.id)).data.summary).toBeUndefined();
  });

  describe('a draft that is tried', () => {
    const ways = [
      ['its record', (id: string) => `/records/${id}`],
      ['its pipeline', () => `/pipelines/${pipelineId}`],
    ] as const;

    /** Tries a draft on a new record, whose call is held, deletes, and lets the call end. */
    async function tryMeanwhile(answer: string, outputType: string, path: (recordId: string) => string) {
      await api.ok('DELETE', `/pipelines/${pipelineId}/fields/advice`);
      await api.ok('DELETE', `/pipelines/${pipelineId}/fields/summary`);
      const { id } = await addRecord(api, pipelineId, { name: secret });
      stage.simulator.script([holding('Try ', answer)]);
      const aiConfig = { model: 'gpt-4o-mini', prompt: 'Try {name}', output_type: outputType };
      const draft = { pipeline_id: pipelineId, record_id: id, ai_config: aiConfig };
      const tried = api.call('POST', '/ai-fields/try', draft);
      await stage.simulator.waitForRequests(1);
      await api.ok('DELETE', path(id));
      stage.simulator.release();
      return tried;
    }

    async function expectPaidAlone(): Promise<void> {
      expect(stage.simulator.requests()).toHaveLength(1);
      const rows = await ledgerOf(stage.database, api.tenantId);
      expect(rows).toMatchObject([{ entry: 'settled', outcome: 'answered' }]);
      expect(rows[0]!.cost).toBeGreaterThan(0);
      expect(await tablesHolding(stage.database, secret)).toEqual([]);
    }

    it.each(ways)('keeps nothing where %s is deleted, and is paid', async (_, path) => {
      const { status, body } = await tryMeanwhile(`About ${secret}`, 'text', path);
      expect([status, body.value]).toEqual([200, `About ${secret}`]);
      await expectPaidAlone();
    });

    it.each(ways)('is not repaired where %s is deleted', async (_, path) => {
      const { status, body } = await tryMeanwhile(`No number but ${secret}`, 'number', path);
      expect([status, body.code]).toEqual([404, 'not_found']);
      await expectPaidAlone();
    });
  });

  it('a record at rest leaves nothing of what was asked and answered about it', async () => {
    stage.simulator.script(answering({ 'Summarise ': `About ${secret}`, 'Advise ': `Call ${secret}` }));
    const { id } = await addSettled(api, pipelineId, { name: secret });
    expect(await tablesHolding(stage.database, secret)).toContain('ai_executions');
    await api.ok('DELETE', `/records/${id}`);
    expect(await tablesHolding(stage.database, secret)).toEqual([]);
    expect(await ledgerOf(stage.database, api.tenantId)).toHaveLength(2);
  });
});
