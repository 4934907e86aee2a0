import { Leads } from '../support/leads.js';
import { promptOf } from '../support/provider-calls.js';
import { setStage, type Stage } from '../support/stage.js';

const EDITS = 20;
const BULK = 5;

/** With one slot none can be set aside, so that turns are counted; how many it is at most depends on when edits are handed out. */
describe.each([
  { slots: 5, most: 3 },
  { slots: 1, most: BULK },
])('edits leave backfill its fifth of $slots', ({ slots, most }) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage({ AI_WORKER_CONCURRENCY: String(slots), AI_TENANT_WINDOW: String(EDITS) });
  });

  afterAll(async () => {
    stage.simulator.clearScript();
    await stage.close();
  });

  it('while edits take every slot that gets free, one in five is for backfill before them', async () => {
    const slow = await Leads.of(await stage.tenant('Slow'), { auto_regenerate: false });
    for (let n = 0; n < BULK; n++) {
      await slow.api.post(`/pipelines/${slow.pipelineId}/records`, { data: { name: `Bulk${n}` } });
    }
    const busy = await Leads.of(await stage.tenant('Busy'));
    stage.simulator.script([{ action: { type: 'hold' } }]);
    await busy.addMany(Array.from({ length: EDITS }, (_, n) => `Edit${n}`));
    await stage.simulator.waitForRequests(slots);
    const path = `/pipelines/${slow.pipelineId}/ai/summary/generate`;
    expect((await slow.api.post(path, { scope: 'all' })).queued).toBe(BULK);
    await slow.api.until('backfill is on its way', async () => {
      const sql = 'SELECT FROM ai_jobs WHERE lane = 1 AND handed_until IS NOT NULL';
      return (await stage.database.sql(sql)).length > 0;
    });

    const sent = (of: string) =>
      stage.simulator.requests().filter((call) => promptOf(call).includes(of)).length;
    // Each answer makes room for one call; the oldest call is the one that is answered.
    for (let freed = 1; freed <= 10; freed++) {
      stage.simulator.release(1);
      await stage.simulator.waitForRequests(slots + freed);
    }
    expect(sent('Bulk')).toBeGreaterThanOrEqual(1);
    expect(sent('Bulk')).toBeLessThanOrEqual(most);
    expect(sent('Edit')).toBeLessThan(EDITS);
  });
});
