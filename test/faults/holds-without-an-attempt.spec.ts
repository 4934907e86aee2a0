import type { Api } from '../support/api.js';
import { AppConnections } from '../support/app-connections.js';
import { Leads } from '../support/leads.js';
import { newCall, placeHold, type TestCall } from '../support/money-functions.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const AMOUNT = 1_000;

describe('a hold that no attempt stands behind', () => {
  let stage: Stage;
  let api: Api;
  let connections: AppConnections;

  beforeAll(async () => {
    stage = await setStage();
    connections = await AppConnections.open(stage.database, 1);
    api = await stage.tenant();
  });

  afterAll(async () => {
    await connections.close();
    await stage.close();
  });

  async function hold(call: TestCall): Promise<TestCall> {
    const asked = { amount: AMOUNT, user: api.userId };
    expect(await placeHold(connections.first, api.tenantId, call, asked)).toBe('held');
    return call;
  }

  /** Makes a hold older than any call can be. */
  const age = ({ jobId, attempt }: Pick<TestCall, 'jobId' | 'attempt'>) =>
    stage.database.sql(
      `UPDATE ai_holds SET held_at = held_at - interval '1 day' WHERE job_id = $1 AND attempt = $2`,
      [jobId, attempt],
    );

  const heldJobs = async () =>
    (
      await stage.database.sql<{ job_id: string; attempt: number }>(
        `SELECT job_id, attempt FROM ai_holds WHERE tenant_id = $1 AND state = 'held'`,
        [api.tenantId],
      )
    ).map(({ job_id: id, attempt }) => `${id}/${attempt}`);
  const lost = async () =>
    (await ledgerEntries(stage.database, api.tenantId)).filter(({ entry }) => entry === 'unconfirmed');
  const untilLost = (count: number) =>
    api.until(`${count} holds were given up and moved into the budgets`, async () => {
      const waiting = await stage.database.sql(
        `SELECT FROM ai_holds WHERE tenant_id = $1 AND state <> 'held'`,
        [api.tenantId],
      );
      const rows = await lost();
      return rows.length >= count && waiting.length === 0 && rows;
    });

  it('is given up as unconfirmed once no call can be that old, once; those of calls in flight stay', async () => {
    stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
    const { jobId } = await (await Leads.of(api)).add('Ada');
    await stage.simulator.waitForRequests(1);
    const inFlight = { jobId, attempt: 1 };
    const young = await hold(newCall());
    // A call without a job, and one of an attempt that is not the job's any more.
    const [withoutJob, takenOver] = [await hold(newCall()), await hold({ jobId, attempt: 99, n: 1 })];
    const before = await budgetOf(api);
    for (const call of [inFlight, withoutJob, takenOver]) await age(call);

    const rows = await untilLost(2);
    const given = { entry: 'unconfirmed', outcome: 'worker_lost', cost_nano: `${AMOUNT}`, n: 1 };
    expect(rows).toHaveLength(2);
    expect(rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...given, job_id: withoutJob.jobId, attempt: 1 }),
        expect.objectContaining({ ...given, job_id: jobId, attempt: 99 }),
      ]),
    );
    expect((await heldJobs()).sort()).toEqual([`${jobId}/1`, `${young.jobId}/1`].sort());
    const figures = { spent_cents: cents(2 * AMOUNT), unconfirmed_cents: cents(2 * AMOUNT) };
    for (const scope of ['tenant', 'user']) expect(await budgetOf(api, scope)).toMatchObject(figures);
    expect((await budgetOf(api)).held_cents).toBeCloseTo(before.held_cents - cents(2 * AMOUNT), 9);

    // A further one shows that the sweep has been there again, and counted the first two no second time.
    await age(await hold(newCall()));
    expect(await untilLost(3)).toHaveLength(3);
    expect(await budgetOf(api)).toMatchObject({ unconfirmed_cents: cents(3 * AMOUNT) });

    stage.simulator.release();
    expect(await api.job(jobId)).toMatchObject({ status: 'completed', attempts: 1 });
    const spent = BigInt(3 * AMOUNT) + billed(stage.simulator.requests());
    expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(spent), held_cents: cents(AMOUNT) });
    expect(await lost()).toHaveLength(3);
  });
});
