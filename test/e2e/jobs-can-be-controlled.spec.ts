import { randomUUID } from 'node:crypto';
import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

/** A retry is due in hours: a job that failed once stays pending until somebody does something. */
const PATIENT = { AI_RETRY_BASE_MS: '3600000' };

describe('jobs can be controlled', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage(PATIENT);
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  const failNext = (times: number, status: number) =>
    stage.simulator.script([{ times, action: { type: 'error', status } }]);
  /** Waits until the job stands as these say. */
  const waitsFor = (jobId: string, reason: string) =>
    api.until(`the job waits for ${reason}`, async () => {
      const { wait_reason: given, status } = await api.get(`/ai-jobs/${jobId}`);
      return status === 'pending' && given === reason;
    });

  it('retry makes the same job run again, from the record as it is now', async () => {
    failNext(1, 401);
    const { recordId, jobId } = await leads.add('Ada');
    expect(await api.job(jobId)).toMatchObject({ status: 'failed', error_code: 'provider_authentication' });
    const retried = await api.post(`/ai-jobs/${jobId}/retry`);
    expect(retried).toMatchObject({ id: jobId, cause: { origin: 'retry' }, retry_count: 0 });
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2, error_code: null });
    expect(await leads.valueOf(recordId)).toMatchObject({ state: 'ready' });
    const again = await api.call('POST', `/ai-jobs/${jobId}/retry`);
    expect(again).toMatchObject({ status: 409, body: { code: 'job_not_retryable' } });
    expect(await api.call('POST', `/ai-jobs/${randomUUID()}/retry`)).toMatchObject({ status: 404 });
    const rows = await stage.database.sql('SELECT FROM ai_jobs WHERE tenant_id = $1', [api.tenantId]);
    expect(rows).toHaveLength(1);
  });

  it('retry gives the pending job of the value where there is one', async () => {
    failNext(1, 401);
    const { recordId, jobId } = await leads.add('Ada');
    await api.job(jobId);
    failNext(1, 500);
    const edited = await api.patch(`/records/${recordId}`, { data: { name: 'Grace' } });
    const pendingId = edited.ai_processing.triggered_jobs[0].job_id;
    expect(pendingId).not.toBe(jobId);
    await waitsFor(pendingId, 'retry');
    expect((await api.post(`/ai-jobs/${jobId}/retry`)).id).toBe(pendingId);
    expect(await api.get(`/ai-jobs/${jobId}`)).toMatchObject({ status: 'failed' });
  });

  it('bulk_retry takes ids, and says of each it skips why', async () => {
    failNext(2, 401);
    const failed = [await leads.addDone('Ada'), await leads.addDone('Grace')].map(({ id }) => id);
    const done = await leads.addDone('Mary');
    const unknown = randomUUID();
    const answer = await api.post('/ai-jobs/bulk_retry', { ids: [...failed, done.id, unknown] });
    expect(answer).toEqual({
      retried: 2,
      skipped: [
        { id: done.id, reason: 'job_not_retryable' },
        { id: unknown, reason: 'not_found' },
      ],
    });
    for (const id of failed) expect(await api.job(id)).toMatchObject({ status: 'completed' });
    const other = await stage.tenant();
    expect(await other.post('/ai-jobs/bulk_retry', { ids: [done.id] })).toEqual({
      retried: 0,
      skipped: [{ id: done.id, reason: 'not_found' }],
    });
  });

  it('bulk_retry takes a filter, and exactly one of both', async () => {
    const more = await Leads.of(api);
    failNext(3, 401);
    const [ada, grace] = [await leads.addDone('Ada'), await leads.addDone('Grace')];
    const mary = await more.addDone('Mary');
    failNext(1, 403);
    const hedy = await leads.addDone('Hedy');
    const filter = { error_code: 'provider_authentication', pipeline_id: leads.pipelineId, field: 'summary' };
    expect(await api.post('/ai-jobs/bulk_retry', { filter })).toEqual({ retried: 2, skipped: [] });
    for (const { id } of [ada, grace]) expect(await api.job(id)).toMatchObject({ status: 'completed' });
    for (const { id } of [mary, hedy]) expect(await api.job(id)).toMatchObject({ status: 'failed' });
    expect(await api.post('/ai-jobs/bulk_retry', { filter: {} })).toEqual({ retried: 2, skipped: [] });
    for (const { id } of [mary, hedy]) expect(await api.job(id)).toMatchObject({ status: 'completed' });
    for (const body of [{}, { ids: [], filter: {} }, { filter: { status: 'completed' } }])
      expect(await api.call('POST', '/ai-jobs/bulk_retry', body)).toMatchObject({ status: 422 });
  });

  it('cancelling a pending job ends it at once, and nothing is sent', async () => {
    failNext(1, 500);
    const { recordId, jobId } = await leads.add('Ada');
    await waitsFor(jobId, 'retry');
    const cancelled = await api.post(`/ai-jobs/${jobId}/cancel`);
    expect(cancelled).toMatchObject({ id: jobId, status: 'cancelled', error_code: 'cancelled' });
    expect(cancelled.completed_at).not.toBeNull();
    expect(await leads.valueOf(recordId)).toMatchObject({ state: 'empty' });
    expect(await api.post('/ai-jobs/queue_pending')).toEqual({ queued: 0 });
    expect(stage.simulator.requests()).toHaveLength(1);
    expect(await api.post(`/ai-jobs/${jobId}/cancel`)).toMatchObject({ status: 'cancelled' });
  });

  it('cancelling a processing job lets the call end, discards its value and settles its cost', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { recordId, jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    expect(await api.post(`/ai-jobs/${jobId}/cancel`)).toMatchObject({ status: 'processing' });
    stage.simulator.release();
    expect(await api.job(jobId)).toMatchObject({
      status: 'cancelled',
      error_code: 'cancelled',
      output_data: {},
    });
    const [request] = stage.simulator.requests();
    expect(request).toMatchObject({ disconnected: false, answer: { status: 200, complete: true } });
    const value = await leads.valueOf(recordId);
    expect(value.state).toBe('empty');
    expect(value.value).toBeUndefined();
    const cost = billed([request!]);
    expect(await ledgerEntries(stage.database, api.tenantId)).toMatchObject([
      { entry: 'settled', outcome: 'answered', cost_nano: String(cost) },
    ]);
    expect(await budgetOf(api)).toMatchObject({ held_cents: 0, spent_cents: cents(cost) });
  });

  it('queue_pending runs what waits for a retry now', async () => {
    failNext(2, 500);
    const added = await leads.addMany(['Ada', 'Grace']);
    for (const { jobId } of added) await waitsFor(jobId, 'retry');
    expect(await api.post('/ai-jobs/queue_pending')).toEqual({ queued: 2 });
    for (const { jobId } of added)
      expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2, retry_count: 1 });
    expect(stage.simulator.requests().map(promptOf).sort()).toEqual([
      'Summarise Ada.',
      'Summarise Ada.',
      'Summarise Grace.',
      'Summarise Grace.',
    ]);
  });

  it('queue_pending leaves what is on its way to a worker in the window that it counts in', async () => {
    failNext(1, 500);
    const { jobId } = await leads.add('Ada');
    await waitsFor(jobId, 'retry');
    const until = new Date(Date.now() + 3_600_000);
    const handed = `UPDATE ai_jobs SET handed_until = $2 WHERE id = $1 RETURNING handed_until`;
    await stage.database.sql(handed, [jobId, until]);
    expect(await api.post('/ai-jobs/queue_pending')).toEqual({ queued: 0 });
    await stage.database.sql(handed, [jobId, null]);
    expect(await api.post('/ai-jobs/queue_pending')).toEqual({ queued: 1 });
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 2 });
  });

  it('is for those who may: a viewer sees no job, an editor only its own', async () => {
    const editor = await api.as('editor');
    const viewer = await api.as('viewer');
    failNext(2, 401);
    const mine = await leads.addDone('Ada');
    const own = await api.job((await leads.add('Grace', editor)).jobId);
    for (const [method, path] of [
      ['GET', `/ai-jobs/${mine.id}`],
      ['POST', `/ai-jobs/${mine.id}/retry`],
      ['POST', `/ai-jobs/${mine.id}/cancel`],
    ] as const) {
      expect((await editor.call(method, path)).status).toBe(404);
      expect((await viewer.call(method, path)).status).toBe(403);
    }
    expect((await editor.get('/ai-jobs')).items).toMatchObject([{ id: own.id }]);
    expect((await editor.call('POST', '/ai-jobs/bulk_retry', { filter: {} })).status).toBe(403);
    expect(await editor.post(`/ai-jobs/${own.id}/retry`)).toMatchObject({ id: own.id });
    expect(await api.job(own.id)).toMatchObject({ status: 'completed' });
  });
});
