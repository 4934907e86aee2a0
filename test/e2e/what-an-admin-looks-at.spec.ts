import type { Answer, Api, Body } from '../support/api.js';
import { AppConnections } from '../support/app-connections.js';
import { Leads } from '../support/leads.js';
import { runJob } from '../support/maintenance.js';
import { settle } from '../support/money-functions.js';
import { budgetOf, cents, ledgerEntries, settledSpent } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const NOWHERE = '01890000-0000-7000-8000-000000000000';

describe('what an admin has to look at', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  let connections: AppConnections;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1' });
    connections = await AppConnections.open(stage.database, 1);
  });

  afterAll(async () => {
    await connections.close();
    await stage.close();
  });

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  describe('calls of unknown outcome', () => {
    const list = (query = ''): Promise<Body> => api.get(`/budgets/unconfirmed${query}`);
    const release = ({ job_id: job, attempt, n }: Body, by = api): Promise<Answer> =>
      by.call('POST', `/budgets/unconfirmed/${job}/${attempt}/${n}/release`);

    /** A job whose first call is cut, and whose second is answered. @returns what the cut one was held for. */
    async function lose(name: string): Promise<bigint> {
      stage.simulator.script([{ times: 1, action: { type: 'cut' } }]);
      const job = await leads.addDone(name);
      expect(job).toMatchObject({ status: 'completed', attempts: 2 });
      const ledger = await ledgerEntries(stage.database, api.tenantId);
      return BigInt(ledger.find((row) => row.job_id === job.id && row.attempt === 1)!.hold_nano);
    }

    it('are listed with job, model, amount and time, newest first, page by page', async () => {
      expect(await list()).toEqual({ items: [], next_cursor: null });
      const lost = [await lose('Ada'), await lose('Bob'), await lose('Eva')];
      const { items } = await list();
      expect(items.map((item: Body) => item.amount_cents)).toEqual(lost.reverse().map((nano) => cents(nano)));
      expect(items[0]).toEqual({
        job_id: expect.any(String),
        attempt: 1,
        n: 1,
        pipeline_id: leads.pipelineId,
        record_id: expect.any(String),
        field: 'summary',
        operation: 'field_generation',
        provider: 'openai',
        model: 'gpt-4o-mini',
        amount_cents: cents(lost[0]!),
        outcome: expect.stringMatching(/^provider_/),
        called_at: expect.stringMatching(/Z$/),
        since: expect.stringMatching(/Z$/),
      });
      const first = await list('?limit=2');
      const second = await list(`?limit=2&cursor=${first.next_cursor}`);
      expect([...first.items, ...second.items]).toEqual(items);
      expect(second.next_cursor).toBeNull();
      for (const query of ['?cursor=x', '?limit=0', '?limit=201', `?cursor=${NOWHERE}:1`])
        expect((await api.call('GET', `/budgets/unconfirmed${query}`)).status).toBe(422);
    });

    it('are given back once, and are out of what is spent from then on', async () => {
      const lost = await lose('Ada');
      const [call] = (await list()).items;
      const before = await settledSpent(api, stage.database);
      expect(await budgetOf(api)).toMatchObject({
        unconfirmed_cents: cents(lost),
        spent_cents: cents(before),
      });
      expect((await release(call)).status).toBe(204);
      expect((await api.get('/audit-log?subject=UnconfirmedCall')).items).toMatchObject([
        {
          action: 'release',
          subject_id: `${call.job_id}/${call.attempt}/${call.n}`,
          before: { model: 'gpt-4o-mini', amount_cents: call.amount_cents },
          after: null,
        },
      ]);
      for (const scope of ['tenant', 'field', 'user'])
        expect(await budgetOf(api, scope)).toMatchObject({
          unconfirmed_cents: 0,
          held_cents: 0,
          spent_cents: cents(before - lost),
        });
      expect((await list()).items).toEqual([]);
      expect(await release(call)).toMatchObject({ status: 404, body: { code: 'not_found' } });
      const { totals } = await api.get('/ai-analytics/usage');
      expect(totals.cost_cents).toBe(cents(before - lost));
      expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0 });
    });

    it('are charged where the answer comes after all, once', async () => {
      await lose('Ada');
      const [{ job_id: jobId, attempt, n, ...call }] = (await list()).items;
      await release({ job_id: jobId, attempt, n, ...call });
      const before = await settledSpent(api, stage.database);
      for (let times = 0; times < 2; times++)
        await settle(connections.first, api.tenantId, { jobId, attempt, n }, { state: 'settled', cost: 700 });
      expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(before + 700n), unconfirmed_cents: 0 });
      expect((await list()).items).toEqual([]);
      expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0 });
    });

    it('are those of the tenant, for those who may set budgets', async () => {
      await lose('Ada');
      const [call] = (await list()).items;
      const other = await stage.tenant();
      expect(await other.get('/budgets/unconfirmed')).toEqual({ items: [], next_cursor: null });
      expect((await release(call, other)).status).toBe(404);
      const editor = await api.as('editor');
      expect((await editor.call('GET', '/budgets/unconfirmed')).status).toBe(403);
      expect((await release(call, editor)).status).toBe(403);
      expect((await release({ ...call, job_id: NOWHERE })).status).toBe(404);
      expect((await release({ ...call, job_id: 'x' })).status).toBe(422);
      expect((await release({ ...call, attempt: '1e99' })).status).toBe(422);
      expect((await list()).items).toHaveLength(1);
    });
  });

  describe('models that are stopped', () => {
    const list = async (by = api): Promise<Body[]> => (await by.get('/stopped-models')).items;
    const release = (path: string, by = api): Promise<Answer> => by.call('DELETE', `/stopped-models/${path}`);

    it('are listed with the reason, and work again once one lets them', async () => {
      const usage = { output_tokens: 1_000_000 };
      stage.simulator.script([{ times: 1, action: { type: 'answer', text: 'Dear.', usage } }]);
      await leads.addDone('Ada');
      const refused = await leads.addDone('Bob');
      expect(refused).toMatchObject({ error_code: 'model_stopped' });
      expect(await list()).toEqual([
        {
          provider: 'openai',
          model: 'gpt-4o-mini',
          reason: expect.stringContaining('more than'),
          stopped_at: expect.stringMatching(/Z$/),
        },
      ]);
      const [other, editor] = [await stage.tenant(), await api.as('editor')];
      expect(await list(other)).toEqual([]);
      expect((await release('openai/gpt-4o-mini', other)).status).toBe(404);
      expect((await release('openai/gpt-4o-mini', editor)).status).toBe(403);
      expect((await editor.call('GET', '/stopped-models')).status).toBe(403);
      expect((await release('openai/gpt-4.1')).status).toBe(404);

      expect((await release('openai/gpt-4o-mini')).status).toBe(204);
      expect((await api.get('/audit-log?subject=StoppedModel')).items).toMatchObject([
        { action: 'release', subject_id: 'openai/gpt-4o-mini', before: { reason: expect.any(String) } },
      ]);
      expect(await list()).toEqual([]);
      expect((await release('openai/gpt-4o-mini')).status).toBe(404);
      await api.post(`/ai-jobs/${refused.id}/retry`);
      expect(await api.job(refused.id)).toMatchObject({ status: 'completed' });
    });
  });
});
