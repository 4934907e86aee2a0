import { Leads } from '../support/leads.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const SLOTS = 5;
const EDITS = 4 * SLOTS;

describe('edits leave backfill its fifth', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage({ AI_WORKER_CONCURRENCY: String(SLOTS), AI_TENANT_WINDOW: String(EDITS) });
  });

  afterAll(async () => {
    stage.simulator.clearScript();
    await stage.close();
  });

  it('while edits take every slot that gets free, one slot in five is for backfill before them', async () => {
    const slow = await Leads.of(await stage.tenant('Slow'), { auto_regenerate: false });
    for (let n = 0; n < SLOTS; n++) {
      await slow.api.post(`/pipelines/${slow.pipelineId}/records`, { data: { name: `Bulk${n}` } });
    }
    const busy = await Leads.of(await stage.tenant('Busy'));
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await busy.addMany(Array.from({ length: EDITS }, (_, n) => `Edit${n}`));
    await stage.simulator.waitForRequests(SLOTS);
    const path = `/pipelines/${slow.pipelineId}/ai/summary/generate`;
    expect((await slow.api.post(path, { scope: 'all' })).queued).toBe(SLOTS);
    await slow.api.until('backfill is on its way', async () => {
      const sql = 'SELECT FROM ai_jobs WHERE lane = 1 AND handed_until IS NOT NULL';
      return (await stage.database.sql(sql)).length > 0;
    });

    const sent = (of: string) =>
      stage.simulator.requests().filter((call) => promptOf(call).includes(of)).length;
    // Each answer makes room for one call; the oldest call is the one that is answered.
    for (let freed = 1; freed <= 2 * SLOTS; freed++) {
      stage.simulator.release(1);
      await stage.simulator.waitForRequests(SLOTS + freed);
    }
    expect(sent('Bulk')).toBeGreaterThanOrEqual(1);
    expect(sent('Bulk')).toBeLessThanOrEqual(3);
    expect(sent('Edit')).toBeLessThan(EDITS);
  });
});
