import { randomUUID } from 'node:crypto';
import Bull, { type Queue } from 'bull';
import { Redis } from 'ioredis';
import type { Api } from '../support/api.js';
import { setting } from '../support/database.js';
import { Leads } from '../support/leads.js';
import { setStage, type Stage } from '../support/stage.js';

const PREFIX = '{messages-by-hand}';

describe('messages that are early, late, double or no messages at all', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  let queue: Queue<unknown>;
  let redis: Redis;

  beforeAll(async () => {
    const url = setting('TEST_REDIS_URL');
    stage = await setStage({ REDIS_URL: url, REDIS_PREFIX: PREFIX });
    redis = new Redis(url);
    queue = new Bull('interactive', { prefix: PREFIX, createClient: () => redis });
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  afterAll(async () => {
    await stage.close();
    redis.disconnect();
  });

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  /** A job behind all of these messages: when it has ended, they have been looked at. */
  async function expectWorking(): Promise<void> {
    expect((await leads.addDone(`Lead ${randomUUID()}`)).status).toBe('completed');
    const left = () => Promise.all([queue.getWaitingCount(), redis.llen(queue.toKey('active'))]);
    await api.until('nothing is left in Redis', async () => (await left()).every((count) => count === 0));
  }

  const hintFor = (jobId: string) => ({ tenantId: api.tenantId, jobId });

  it('double ones, while the job waits, runs and has ended, make one call', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { jobId } = await leads.add('Ada');
    const three = () => queue.addBulk(Array.from({ length: 3 }, () => ({ data: hintFor(jobId) })));
    await three();
    await stage.simulator.waitForRequests(1);
    await three();
    stage.simulator.release();
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1 });
    await three();
    await expectWorking();
    expect(await api.get(`/ai-jobs/${jobId}`)).toMatchObject({ status: 'completed', attempts: 1 });
    expect(stage.simulator.requests()).toHaveLength(2);
  });

  it('an early one changes nothing of the wait', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'error', status: 503, retry_after_s: 3600 } }]);
    const { jobId } = await leads.add('Grace');
    const waiting = await api.until('it waits for its retry', async () => {
      const job = await api.get(`/ai-jobs/${jobId}`);
      return job.wait_reason === 'retry' && job;
    });
    await queue.add(hintFor(jobId));
    await api.until('it was taken', async () => (await queue.getWaitingCount()) === 0);
    await expectWorking();
    expect(await api.get(`/ai-jobs/${jobId}`)).toMatchObject({
      status: 'pending',
      attempts: 1,
      run_after: waiting.run_after,
    });
    expect((await api.post('/ai-jobs/queue_pending')).queued).toBe(1);
    expect((await api.job(jobId)).status).toBe('completed');
  });

  it.each([
    ['of nobody', { tenantId: 'nobody', jobId: randomUUID() }],
    ['without a job', { tenantId: 'nobody' }],
    ['with what is no id', { tenantId: 'nobody', jobId: "x'; DROP TABLE ai_jobs; --" }],
    ['with a NUL', { tenantId: 'a\0b', jobId: randomUUID() }],
    ['of a type of its own', { tenantId: ['x'], jobId: { $ne: null } }],
    ['that is a text', 'hello'],
    ['that is nothing', null],
    ['that is huge', { tenantId: 'x'.repeat(1_000_000), jobId: randomUUID() }],
  ])('one %s is dropped', async (_, data) => {
    await queue.add(data);
    await expectWorking();
  });

  it('an id without a message, and a message that is not JSON, are passed over', async () => {
    await redis.hset(queue.toKey('broken'), { name: '__default__', data: '{"tenantId":', opts: '{}' });
    await redis.lpush(queue.toKey('wait'), 'nothing-there', 'broken');
    expect((await leads.addDone('after the garbage')).status).toBe('completed');
    expect(await queue.getWaitingCount()).toBe(0);
    expect(stage.product.output()).not.toContain('nothing-there');
    await redis.del(queue.toKey('active'), queue.toKey('broken'));
  });

  it('one for a job of another tenant finds nothing there', async () => {
    const other = await stage.tenant();
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { jobId } = await leads.add('Barbara');
    await stage.simulator.waitForRequests(1);
    await queue.add({ tenantId: other.tenantId, jobId });
    stage.simulator.release();
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1 });
    await expectWorking();
  });

  it('what is in Redis names ids and nothing else', async () => {
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await queue.pause();
    await leads.add('Secretive Name');
    await api.until('it waits in Redis', async () => (await queue.getPausedCount()) > 0);
    const [job] = await queue.getJobs(['paused']);
    expect(job!.data).toEqual({ tenantId: api.tenantId, jobId: expect.any(String) });
    expect(job!.opts).toMatchObject({ removeOnComplete: true, removeOnFail: true, delay: 0, attempts: 1 });
    await queue.resume();
    await stage.simulator.waitForRequests(1);
    stage.simulator.release();
  });
});
