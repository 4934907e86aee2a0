import type { Api, Body } from '../support/api.js';
import type { EventReader } from '../support/event-reader.js';
import { Leads } from '../support/leads.js';
import { logLines } from '../support/log-lines.js';
import { scrape, sum } from '../support/metrics.js';
import { budgetOf, cents, settledSpent } from '../support/money.js';
import { setStage, type Stage } from '../support/stage.js';

/** Nano-USD of each call: 100 tokens in, 20 out, of gpt-4o-mini. */
const COST = 27_000;

describe('alerts of budgets', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  let screen: EventReader;
  let added: number;

  beforeAll(async () => {
    stage = await setStage();
    const usage = { input_tokens: 100, output_tokens: 20 };
    stage.simulator.script([{ action: { type: 'answer', text: 'Dear.', usage } }]);
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    api = await stage.tenant();
    leads = await Leads.of(api, { max_tokens: 20 });
    screen = await api.events();
    added = 0;
  });

  afterEach(() => screen.close());

  /** Adds leads, and waits until what they cost has reached the budgets. */
  async function spend(calls: number): Promise<void> {
    for (let n = 0; n < calls; n++) {
      expect(await leads.addDone(`Lead ${added++}`)).toMatchObject({ status: 'completed' });
    }
    expect(await settledSpent(api, stage.database)).toBe(BigInt(added * COST));
  }

  const limit = (calls: number, budget = 'tenant/self'): Promise<Body> =>
    api.ok('PUT', `/budgets/${budget}`, { limit_cents: cents(calls * COST) });
  const seen = () => screen.events.filter(({ type }) => type === 'budget.alert').map(({ data }) => data);
  const kinds = () => seen().map(({ scope, threshold }) => `${String(scope)} ${String(threshold)}`);
  /** The alerts that were raised, once the screen has all of them: one more event follows whatever was told before. */
  async function raised(): Promise<string[]> {
    const { recordId } = await leads.add(`Marker ${added}`);
    await api.until('the screen is up to date', async () =>
      screen.events.some(({ type, data }) => type === 'record.updated' && data['record_id'] === recordId),
    );
    return kinds();
  }
  const untilRaised = (expected: string[]) =>
    api.until(`the alerts are ${expected.join(', ')}`, async () => kinds().length >= expected.length);
  const logged = () =>
    logLines(stage.product.output())
      .filter((line) => line.message === 'a budget came to a threshold' && line['tenant_id'] === api.tenantId)
      .map(({ scope, threshold, level }) => [scope, threshold, level]);

  it('come at each threshold of what is spent, once, as an event and a line of the log with the figures', async () => {
    await limit(10);
    await spend(4);
    expect(kinds()).toEqual([]);
    await spend(1);
    await untilRaised(['tenant 50']);
    expect(seen()).toEqual([
      {
        scope: 'tenant',
        scope_id: 'self',
        period: new Date().toISOString().slice(0, 7),
        threshold: 50,
        refused: false,
        limit_cents: cents(10 * COST),
        spent_cents: cents(5 * COST),
        held_cents: 0,
        unconfirmed_cents: 0,
        remaining_cents: cents(5 * COST),
      },
    ]);
    await spend(1);
    await limit(10);
    expect(await raised()).toEqual(['tenant 50']);
    expect(logged()).toEqual([['tenant', 50, 'warn']]);
    const labels = { scope: 'tenant', threshold: '50' };
    expect(sum(await scrape(stage.product.url), 'fieldsmith_budget_alerts_total', labels)).toBe(1);
  });

  it('come when a limit is lowered to what is spent, and anew once a higher limit is crossed', async () => {
    await spend(3);
    await limit(5);
    await untilRaised(['tenant 50']);
    await limit(3.5);
    await untilRaised(['tenant 50', 'tenant 80']);
    await limit(3.6);
    expect(kinds()).toEqual(['tenant 50', 'tenant 80']);
    // At 42 % both can be crossed anew; to raise it further changes nothing.
    await limit(7);
    await limit(8);
    expect(kinds()).toEqual(['tenant 50', 'tenant 80']);
    await spend(1);
    await untilRaised(['tenant 50', 'tenant 80', 'tenant 50']);
    await limit(4);
    expect(await raised()).toEqual(['tenant 50', 'tenant 80', 'tenant 50', 'tenant 80', 'tenant 100']);
    await api.ok('DELETE', '/budgets/tenant/self');
    await limit(4);
    expect(await raised()).toHaveLength(5);
  });

  it('say 100 % when a call is refused, though what is spent never quite gets there', async () => {
    await spend(2);
    await limit(2.5);
    await untilRaised(['tenant 50', 'tenant 80']);
    for (const name of ['Ada', 'Bob']) {
      expect(await leads.addDone(name)).toMatchObject({ error_code: 'budget_exceeded' });
    }
    await untilRaised(['tenant 50', 'tenant 80', 'tenant 100']);
    expect(seen()[2]).toMatchObject({
      refused: true,
      spent_cents: cents(2 * COST),
      limit_cents: cents(2.5 * COST),
    });
    await limit(2.4);
    expect(await leads.addDone('Eve')).toMatchObject({ error_code: 'budget_exceeded' });
    expect(kinds()).toHaveLength(3);
    await limit(2.6);
    expect(await leads.addDone('Flo')).toMatchObject({ error_code: 'budget_exceeded' });
    await untilRaised(['tenant 50', 'tenant 80', 'tenant 100', 'tenant 100']);
    expect(await raised()).toHaveLength(4);
  });

  it('are of the field and of the user too, wherever the limit is set', async () => {
    await spend(2);
    await limit(4, `field/${leads.budgetId}`);
    await limit(2, `user/${api.userId}`);
    await untilRaised(['field 50', 'user 50', 'user 80', 'user 100']);
    expect(kinds()).toEqual(['field 50', 'user 50', 'user 80', 'user 100']);
    expect(seen().map(({ scope_id: id }) => id)).toEqual([
      leads.budgetId,
      api.userId,
      api.userId,
      api.userId,
    ]);
    await api.patch('/ai-settings', { monthly_budget_cents: cents(3 * COST) });
    await api.patch(`/pipelines/${leads.pipelineId}/fields/summary`, {
      ai_config: { prompt: 'Of {name}', model: 'gpt-4o-mini', budget_limit_cents: cents(2.5 * COST) },
    });
    await untilRaised(['field 50', 'user 50', 'user 80', 'user 100', 'tenant 50', 'field 80']);
    expect(kinds().slice(4)).toEqual(['tenant 50', 'field 80']);
    expect(await budgetOf(api, 'field', leads.budgetId)).toMatchObject({ limit_cents: cents(2.5 * COST) });
    const lines = logged().map(([scope, threshold]) => `${String(scope)} ${String(threshold)}`);
    expect(lines).toEqual(kinds());
  });
});
