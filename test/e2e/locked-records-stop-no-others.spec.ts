import { AppConnections, asTenant } from '../support/app-connections.js';
import { Leads } from '../support/leads.js';
import { setStage, type Stage } from '../support/stage.js';

/** As many attempts as a process lets be at the database at once. */
const LOCKED = 6;

describe('records that a transaction of the host holds', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await setStage();
  });

  afterAll(() => stage.close());

  it('stop no other record and no other tenant, and get their values when they are let go', async () => {
    const [busy, other] = [await Leads.of(await stage.tenant()), await Leads.of(await stage.tenant())];
    stage.simulator.script([{ times: LOCKED, action: { type: 'hold' } }]);
    const held = await busy.addMany(Array.from({ length: LOCKED }, (_, n) => `Held${n}`));
    await stage.simulator.waitForRequests(LOCKED);
    const connections = await AppConnections.open(stage.database, 1);
    const client = connections.first;
    await asTenant(client, busy.api.tenantId, async () => {
      const ids = held.map(({ recordId }) => recordId);
      await client.query('SELECT FROM records WHERE id = ANY ($1) FOR UPDATE', [ids]);
      stage.simulator.release();
      for (const leads of [busy, other])
        for (let n = 0; n < 8; n++)
          expect(await leads.addDone(`Free${n}`)).toMatchObject({ status: 'completed' });
      for (const { jobId } of held)
        expect(await busy.api.get(`/ai-jobs/${jobId}`)).toMatchObject({ status: 'processing' });
    });
    for (const { jobId } of held)
      expect(await busy.api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1, retry_count: 0 });
    await connections.close();
  });
});
