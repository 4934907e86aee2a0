import { jest } from '@jest/globals';
import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(120_000);

const BACKLOG = 2_000;
const SLOTS = 10;
/** Backfill may take all slots but a fifth. */
const BACKFILL_SLOTS = 8;

describe('a backlog delays nobody', () => {
  let stage: Stage;
  let big: Leads;
  let small: Leads;
  let smallApi: Api;

  /** Every call is held, so that what is sent is decided by counts and never by time. */
  beforeAll(async () => {
    stage = await setStage({ AI_WORKER_CONCURRENCY: String(SLOTS), AI_TENANT_WINDOW: String(SLOTS) });
    big = await Leads.of(await stage.tenant('Big'));
    smallApi = await stage.tenant('Small');
    small = await Leads.of(smallApi);
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const csv = ['name', ...Array.from({ length: BACKLOG }, (_, n) => `Bulk${n}`)].join('\n');
    const imported = await big.api.call('POST', `/pipelines/${big.pipelineId}/import?generate=true`, csv, {
      'content-type': 'text/csv',
    });
    expect(imported.body).toMatchObject({ imported: BACKLOG, rejected_count: 0 });
    await stage.simulator.waitForRequests(BACKFILL_SLOTS);
  });

  afterAll(async () => {
    stage.simulator.clearScript();
    await stage.close();
  });

  const received = () => stage.simulator.requests().map(promptOf);
  const bulk = () => received().filter((prompt) => prompt.includes('Bulk'));

  it('the edit of another tenant is sent at once, beside all that the backlog may have in flight', async () => {
    expect(bulk()).toHaveLength(BACKFILL_SLOTS);
    const { jobId } = await small.add('Ada');
    await stage.simulator.waitForRequests(BACKFILL_SLOTS + 1);
    expect(received().at(-1)).toBe('Summarise Ada.');
    expect(bulk()).toHaveLength(BACKFILL_SLOTS);
    stage.simulator.release();
    expect(await smallApi.job(jobId)).toMatchObject({ status: 'completed', lane: 'interactive' });
  });

  it('so is an edit of the tenant whose backlog it is', async () => {
    await stage.simulator.waitForRequests(2 * BACKFILL_SLOTS + 1);
    const before = received().length;
    const { recordId } = await big.add('Own');
    await stage.simulator.waitForRequests(before + 1);
    expect(received().slice(before)).toEqual(['Summarise Own.']);
    expect((await big.valueOf(recordId)).state).toBe('generating');
  });

  it('with every slot taken by another tenant, an edit is among the next few that are sent', async () => {
    const rush = await Leads.of(await stage.tenant('Rush'));
    await rush.addMany(Array.from({ length: 3 * SLOTS }, (_, n) => `Rush${n}`));
    await stage.simulator.waitForRequests(received().length + SLOTS - stage.simulator.held);
    expect(stage.simulator.held).toBe(SLOTS);
    const before = received().length;
    const { jobId } = await small.add('Grace');
    await smallApi.until('the job is on its way', async () => {
      const sql = 'SELECT FROM ai_jobs WHERE id = $1 AND handed_until IS NOT NULL';
      return (await stage.database.sql(sql, [jobId])).length > 0;
    });
    // One answer makes room for one call.
    for (let freed = 1; !received().includes('Summarise Grace.'); freed++) {
      expect(freed).toBeLessThanOrEqual(2 * SLOTS);
      stage.simulator.release(1);
      await stage.simulator.waitForRequests(before + freed);
    }
    expect((await big.api.get('/ai-jobs/worker_health')).pending).toBeGreaterThan(BACKLOG / 2);
  });
});
