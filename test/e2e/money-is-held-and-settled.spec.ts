import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, ledgerEntries, settledSpent } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

const MAX_TOKENS = 50;
/** Nano-USD a token of gpt-4o-mini. */
const [INPUT, CACHE_READ, OUTPUT] = [150, 75, 600];

describe('money is held and settled', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '3600000' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api, { max_tokens: MAX_TOKENS });
  });

  const everyScope = async (): Promise<Body[]> => [
    await budgetOf(api),
    await budgetOf(api, 'field', leads.budgetId),
    await budgetOf(api, 'user', api.userId),
  ];
  const ledger = () => ledgerEntries(stage.database, api.tenantId);

  it('is held in all three scopes while the call is in flight, and then settled at exactly what it cost', async () => {
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const { recordId, jobId } = await leads.add('Ada');
    const [request] = await stage.simulator.waitForRequests(1);
    const inFlight = await everyScope();
    const [hold] = await stage.database.sql<{ amount: string }>(
      'SELECT amount FROM ai_holds WHERE job_id = $1',
      [jobId],
    );
    for (const budget of inFlight)
      expect(budget).toMatchObject({ held_cents: cents(hold!.amount), spent_cents: 0, limit_cents: null });
    expect(inFlight[0].period).toBe(new Date().toISOString().slice(0, 7));
    // The bound: a token for every byte sent at least, and every output token that is allowed.
    const bytes = Buffer.byteLength(JSON.stringify((request!.body as Body).messages));
    expect(Number(hold!.amount)).toBeGreaterThanOrEqual(bytes * INPUT + MAX_TOKENS * OUTPUT);
    expect((request!.body as Body).max_tokens).toBe(MAX_TOKENS);

    stage.simulator.release();
    const job = await api.job(jobId);
    const usage = request!.answer!.usage!;
    const cost = usage.input_tokens * INPUT + usage.output_tokens * OUTPUT;
    expect(await ledger()).toEqual([
      {
        entry: 'settled',
        outcome: 'answered',
        job_id: jobId,
        record_id: recordId,
        attempt: 1,
        n: 1,
        cost_nano: String(cost),
        hold_nano: hold!.amount,
        key_source: 'global',
        price_id: expect.stringContaining('gpt-4o-mini'),
      },
    ]);
    const usd = Number((cost / 1e9).toFixed(9));
    expect(job).toMatchObject({ cost_usd: usd, cost_cents: Number((cost / 1e7).toFixed(7)) });
    expect((await leads.valueOf(recordId)).cost_usd).toBe(usd);
    for (const budget of await everyScope())
      expect(budget).toMatchObject({ held_cents: 0, spent_cents: Number((cost / 1e7).toFixed(7)) });
    expect(await settledSpent(api, stage.database)).toBe(BigInt(cost));
  });

  it('charges tokens from the cache at their own price', async () => {
    const usage = { input_tokens: 40, cache_read_tokens: 60, output_tokens: 7 };
    stage.simulator.script([{ action: { type: 'answer', text: 'Short.', usage } }]);
    await leads.addDone('Ada');
    const cost = 40 * INPUT + 60 * CACHE_READ + 7 * OUTPUT;
    expect(billed(stage.simulator.requests())).toBe(BigInt(cost));
    expect(await ledger()).toMatchObject([{ entry: 'settled', cost_nano: String(cost) }]);
    const [row] = await stage.database.sql(
      'SELECT input_tokens, cache_read_tokens, output_tokens FROM ai_ledger WHERE tenant_id = $1',
      [api.tenantId],
    );
    expect(row).toEqual({ input_tokens: '40', cache_read_tokens: '60', output_tokens: '7' });
  });

  it.each([400, 500])('is given back when the provider answers %i', async (status) => {
    stage.simulator.script([{ action: { type: 'hold', then: { type: 'error', status } } }]);
    const { jobId } = await leads.add('Ada');
    await stage.simulator.waitForRequests(1);
    const [held] = await everyScope();
    expect(held.held_cents).toBeGreaterThan(0);
    stage.simulator.release();
    await api.until('the call has ended', async () => {
      const { status: now } = await api.get(`/ai-jobs/${jobId}`);
      return now !== 'processing';
    });
    expect(await ledger()).toMatchObject([
      { entry: 'released', cost_nano: '0', hold_nano: String(Math.round(held.held_cents * 1e7)) },
    ]);
    for (const budget of await everyScope())
      expect(budget).toMatchObject({ held_cents: 0, spent_cents: 0, unconfirmed_cents: 0 });
  });

  it.each([
    ['the connection is cut', { type: 'cut' } as const],
    ['the answer tells no usage', { type: 'answer', text: 'Hello.', usage: null } as const],
  ])('stays spent as unconfirmed when %s', async (_, action) => {
    stage.simulator.script([{ action }]);
    const { jobId } = await leads.add('Ada');
    await api.until('the call has ended', async () => {
      const { executions } = await api.get(`/ai-jobs/${jobId}`);
      return executions.length > 0;
    });
    const [row, ...more] = await ledger();
    expect(more).toEqual([]);
    expect(row).toMatchObject({ entry: 'unconfirmed', cost_nano: row!.hold_nano });
    const hold = cents(row!.hold_nano);
    for (const budget of await everyScope())
      expect(budget).toMatchObject({ held_cents: 0, spent_cents: hold, unconfirmed_cents: hold });
  });

  it('stops a model whose call cost more than was held for it, for that tenant until somebody looks', async () => {
    const usage = { output_tokens: 1_000_000 };
    stage.simulator.script([{ times: 1, action: { type: 'answer', text: 'Dear.', usage } }]);
    const first = await leads.addDone('Ada');
    expect(first).toMatchObject({ status: 'completed', outcome: 'generated' });
    const cost = billed(stage.simulator.requests());
    expect(first.cost_cents).toBe(cents(cost));
    expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(cost), held_cents: 0 });

    const { recordId, jobId } = await leads.add('Grace');
    expect(await api.job(jobId)).toMatchObject({
      status: 'failed',
      error_code: 'model_stopped',
      retry_count: 0,
    });
    expect(await leads.valueOf(recordId)).toMatchObject({
      state: 'blocked',
      error: { code: 'model_stopped' },
    });
    expect(stage.simulator.requests()).toHaveLength(1);
    const nano = await Leads.of(api, { model: 'gpt-4.1-nano' });
    expect(await nano.addDone('Mary')).toMatchObject({ status: 'completed' });
    const other = await Leads.of(await stage.tenant());
    expect(await other.addDone('Hedy')).toMatchObject({ status: 'completed' });
  });
});
