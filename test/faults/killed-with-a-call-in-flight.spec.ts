import { setImmediate as turn } from 'node:timers/promises';
import type { Api, Body } from '../support/api.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { addPipeline, addRecord, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const LEASE_MS = '1000';

describe('a process killed with a call in flight', () => {
  let stage: Stage;
  let api: Api;
  let created: Body;
  let jobId: string;

  beforeAll(async () => {
    stage = await setStage({ AI_LEASE_MS: LEASE_MS });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    const pipelineId = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    created = await addRecord(api, pipelineId, { name: 'Ada' });
    jobId = created.ai_processing.triggered_jobs[0].job_id;
    await stage.simulator.waitForRequests(1);
  });

  afterEach(() => api.close());

  /** The job of a dead process: done anew, by a second call with a hold of its own; the first call stays in doubt. */
  async function expectSecondAttempt(): Promise<void> {
    api = api.at(stage.product.url);
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2, retry_count: 1 });
    const requests = stage.simulator.requests();
    expect(requests).toHaveLength(2);
    expect((await api.get(`/records/${created.id}`)).data.summary).toBe(requests[1]!.answer!.text);

    const second = billed(requests.slice(1));
    const ledger = await ledgerEntries(stage.database, api.tenantId);
    const hold = ledger[0]!.hold_nano;
    expect(BigInt(hold)).toBeGreaterThan(second);
    expect(ledger).toMatchObject([
      { entry: 'unconfirmed', outcome: 'worker_lost', attempt: 1, n: 1, cost_nano: hold, hold_nano: hold },
      { entry: 'settled', outcome: 'answered', attempt: 2, n: 1, cost_nano: String(second), hold_nano: hold },
    ]);
    expect(await budgetOf(api)).toMatchObject({
      unconfirmed_cents: cents(hold),
      spent_cents: cents(BigInt(hold) + second),
      held_cents: 0,
    });
  }

  it('before the answer: a new attempt makes a second call, and the first is unconfirmed', async () => {
    const held = await budgetOf(api);
    expect(held.held_cents).toBeGreaterThan(0);
    expect(held).toMatchObject({ spent_cents: 0, unconfirmed_cents: 0 });
    await stage.restart('kill');
    await expectSecondAttempt();
  });

  it('after the answer and before it was settled: the answer was paid for, and counts in full', async () => {
    // A stopped process takes the answer off the wire and can do nothing with it.
    stage.product.process.kill('SIGSTOP');
    stage.simulator.release();
    while (!stage.simulator.requests()[0]?.answer?.complete) await turn();
    await stage.restart('kill');
    await expectSecondAttempt();
    expect(stage.simulator.requests()[0]!.answer!.usage!.output_tokens).toBeGreaterThan(0);
  });

  it('for a job whose retries are used up: it fails, and the call is accounted for', async () => {
    await stage.database.sql('UPDATE ai_jobs SET retry_count = max_retries WHERE id = $1', [jobId]);
    await stage.restart('kill');
    api = api.at(stage.product.url);
    expect(await api.job(jobId)).toMatchObject({ status: 'failed', error_code: 'worker_lost', attempts: 2 });
    expect((await api.get(`/records/${created.id}`)).ai.summary).toMatchObject({
      state: 'failed',
      error: { code: 'worker_lost' },
    });
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([{ entry: 'unconfirmed' }]);
    expect(stage.simulator.requests()).toHaveLength(1);
  });

  it('for a job whose retries are used up and that has a fallback: that is stored', async () => {
    stage.simulator.release();
    await api.settled(created.id);
    stage.simulator.clearRequests();
    const fields = [plain('name'), ai('summary', { prompt: 'Describe {name}', fallback_value: 'unknown' })];
    const pipelineId = await addPipeline(api, fields);
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const record = await addRecord(api, pipelineId, { name: 'Grace' });
    const { job_id: id } = record.ai_processing.triggered_jobs[0];
    await stage.simulator.waitForRequests(1);
    await stage.database.sql('UPDATE ai_jobs SET retry_count = max_retries WHERE id = $1', [id]);
    await stage.restart('kill');
    api = api.at(stage.product.url);
    expect(await api.job(id)).toMatchObject({
      status: 'completed',
      outcome: 'fallback',
      error_code: 'worker_lost',
    });
    expect((await api.get(`/records/${record.id}`)).data.summary).toBe('unknown');
    expect(stage.simulator.requests()).toHaveLength(1);
  });
});
