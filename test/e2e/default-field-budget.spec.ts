import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { budgetOf, cents, ledgerEntries } from '../support/money.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

const CONFIG = { max_tokens: 20 };
const UNPRICED = { model: 'gpt-4o-unheard-of', provider: 'openai' };

describe('a budget for every field that has none of its own', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;
  /** Nano-USD that every call of these leads is held for. */
  let hold: number;
  let unpriced: Leads;

  beforeAll(async () => {
    stage = await setStage();
    const before = await stage.tenant();
    unpriced = await Leads.of(before, UNPRICED);
    await (await Leads.of(before, CONFIG)).addDone('Ada');
    const [row] = await ledgerEntries(stage.database, before.tenantId);
    hold = Number(row!.hold_nano);
    await stage.restart('stop', { AI_DEFAULT_FIELD_BUDGET_CENTS: cents(2.5 * hold).toFixed(7) });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
    api = await stage.tenant();
    leads = await Leads.of(api, CONFIG);
  });

  it('is held in from the first call on: of calls that all come at once no more go than fit', async () => {
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const added = await leads.addMany(['Ada', 'Bob', 'Eva', 'Flo', 'Gil', 'Ida']);
    await stage.simulator.waitForRequests(2);
    await api.until('the others wait for the budget', async () => {
      const { items } = await api.get('/ai-jobs?status=pending');
      return items.filter((job: Body) => job.wait_reason === 'budget').length === 4;
    });
    expect(stage.simulator.held).toBe(2);
    expect(await budgetOf(api, 'field', leads.budgetId)).toMatchObject({
      limit_cents: cents(2.5 * hold),
      default: true,
      held_cents: cents(2 * hold),
      remaining_cents: cents(0.5 * hold),
    });
    expect(await budgetOf(api)).toMatchObject({ limit_cents: null, default: false });
    stage.simulator.clearScript();
    const over = await stage.database.sql(
      `SELECT FROM ai_budgets WHERE tenant_id = $1 AND scope = 'field' AND spent + held > limit_nano`,
      [api.tenantId],
    );
    expect(over).toEqual([]);
    for (const { jobId } of added) {
      await api.until('the job has ended', async () => {
        stage.simulator.release();
        return !['pending', 'processing'].includes((await api.get(`/ai-jobs/${jobId}`)).status);
      });
    }
  });

  it('gives way to a limit of its own, and comes back when that is taken away', async () => {
    await api.ok('PUT', `/budgets/field/${leads.budgetId}`, { limit_cents: cents(hold - 1) });
    const refused = await leads.addDone('Ada');
    expect(refused).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(await budgetOf(api, 'field', leads.budgetId)).toMatchObject({
      limit_cents: cents(hold - 1),
      default: false,
    });
    await api.ok('PUT', `/budgets/field/${leads.budgetId}`, { limit_cents: cents(100 * hold) });
    for (const name of ['Ada', 'Bob', 'Cleo', 'Dora', 'Egon', 'Fred', 'Gerd', 'Hans', 'Ilse', 'Jane'])
      expect(await leads.addDone(name)).toMatchObject({ status: 'completed' });
    await api.ok('DELETE', `/budgets/field/${leads.budgetId}`);
    const { spent_cents: spent } = await budgetOf(api, 'field', leads.budgetId);
    expect(spent).toBeGreaterThan(cents(1.5 * hold));
    const last = await leads.addDone('Kate');
    expect(last).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(last.error_message).toContain('field budget');
    const left = await budgetOf(api, 'field', leads.budgetId);
    expect(left).toMatchObject({ default: true, limit_cents: cents(2.5 * hold) });
    expect(left.remaining_cents).toBeLessThan(cents(hold));
  });

  it('is of each field alone, and its end is told', async () => {
    const screen = await api.events();
    const dear = await Leads.of(api, { max_tokens: 2_000 });
    expect(await dear.addDone('Ada')).toMatchObject({ status: 'failed', error_code: 'budget_exceeded' });
    expect(await leads.addDone('Ada')).toMatchObject({ status: 'completed' });
    const alerts = () => screen.events.filter(({ type }) => type === 'budget.alert');
    await api.until('the alert is told', async () => alerts().length > 0);
    expect(alerts().map(({ data }) => data)).toMatchObject([
      { scope: 'field', scope_id: dear.budgetId, threshold: 100, refused: true, spent_cents: 0 },
    ]);
    screen.close();
  });

  it('is a limit to whatever has no known price: refused when it is configured, and when it was before', async () => {
    const field = ai('summary', { prompt: 'Summarise {name}', ...UNPRICED });
    const refused = await api.call('POST', '/pipelines', { name: 'Leads', fields: [plain('name'), field] });
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'fields.1.ai_config.model' }] } });
    const old = unpriced.api.at(stage.product.url);
    const job = await old.job((await unpriced.add('Bob', old)).jobId);
    expect(job).toMatchObject({ status: 'failed', error_code: 'unknown_price', executions: [] });
    expect(stage.simulator.requests()).toEqual([]);
    const priced = await addPipeline(api, [plain('name'), ai('summary', { prompt: 'Summarise {name}' })]);
    const { fields } = await api.get(`/pipelines/${priced}`);
    expect(fields.map(({ slug }: Body) => slug)).toEqual(['name', 'summary']);
    old.close();
  });
});
