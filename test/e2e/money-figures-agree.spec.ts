import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { billed, budgetOf, cents, settledSpent } from '../support/money.js';
import { generate } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

interface Sums {
  ledger: string;
  executions: string;
  jobs: string;
  input: string;
  output: string;
}

const SUMS = `
  SELECT (SELECT sum(cost_nano) FROM ai_ledger WHERE tenant_id = $1) AS ledger,
         (SELECT sum(cost_nano) FROM ai_executions WHERE tenant_id = $1) AS executions,
         (SELECT sum(cost_nano) FROM ai_jobs WHERE tenant_id = $1) AS jobs,
         (SELECT sum(input_tokens) FROM ai_ledger WHERE tenant_id = $1) AS input,
         (SELECT sum(output_tokens) FROM ai_ledger WHERE tenant_id = $1) AS output`;

describe('the figures of money agree', () => {
  let stage: Stage;
  let api: Api;
  let editor: Api;
  let leads: Leads;
  let notes: Leads;

  /** Work of every kind: answers, a repair, a failure with its retry, a refusal, cached and unchanged results. */
  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1' });
    api = await stage.tenant();
    editor = await api.as('editor');
    leads = await Leads.of(api);
    notes = await Leads.of(api, { model: 'gpt-4o-mini', output_type: 'json', prompt: 'Facts of {name}.' });
    stage.simulator.script([
      { match: { prompt_includes: 'Grace' }, times: 1, action: { type: 'error', status: 500 } },
      { match: { prompt_includes: 'Mary' }, times: 1, action: { type: 'refusal' } },
      { match: { prompt_includes: 'Facts of Ada' }, times: 1, action: { type: 'malformed' } },
    ]);
    const { recordId, jobId } = await leads.add('Ada');
    await api.job(jobId);
    for (const name of ['Grace', 'Mary', 'Hedy']) await leads.addDone(name);
    expect(await api.job((await leads.add('Edith', editor)).jobId)).toMatchObject({ outcome: 'generated' });
    expect(await leads.addDone('Ada')).toMatchObject({ outcome: 'cached', cost_usd: 0 });
    expect(await generate(api, recordId, 'summary')).toMatchObject({ outcome: 'unchanged', cost_usd: 0 });
    expect(await generate(api, recordId, 'summary', true)).toMatchObject({ outcome: 'generated' });
    expect(await notes.addDone('Ada')).toMatchObject({ outcome: 'generated' });
  });

  afterAll(() => stage.close());

  const usage = (query = '') => api.get(`/ai-analytics/usage?${query}`);
  const answered = () => stage.simulator.requests().filter(({ answer }) => answer?.usage);

  it('between provider, ledger, executions, jobs and budgets', async () => {
    const spent = await settledSpent(api, stage.database);
    expect(spent).toBe(billed(stage.simulator.requests()));
    const [sums] = await stage.database.sql<Sums>(SUMS, [api.tenantId]);
    const tokens = (kind: 'input_tokens' | 'output_tokens') =>
      String(answered().reduce((sum, { answer }) => sum + answer!.usage![kind], 0));
    expect(sums).toEqual({
      ledger: String(spent),
      executions: String(spent),
      jobs: String(spent),
      input: tokens('input_tokens'),
      output: tokens('output_tokens'),
    });
    const fields = [leads, notes].map(({ budgetId }) => budgetOf(api, 'field', budgetId));
    const users = [api, editor].map(({ userId }) => budgetOf(api, 'user', userId));
    const total = async (budgets: Promise<Body>[]) =>
      (await Promise.all(budgets)).reduce((sum, budget) => sum + Math.round(budget.spent_cents * 1e7), 0);
    expect([await total(fields), await total(users)]).toEqual([Number(spent), Number(spent)]);
    expect((await budgetOf(api)).spent_cents).toBe(cents(spent));
  });

  it('and in the report, which counts what was free and what failed', async () => {
    const spent = billed(stage.simulator.requests());
    const { items, totals } = await usage();
    expect(totals).toMatchObject({
      requests: stage.simulator.requests().length,
      cost_usd: Number(spent) / 1e9,
      cost_cents: cents(spent),
      errors: 1,
      cached: 2,
    });
    expect(totals.total_tokens).toBe(totals.input_tokens + totals.output_tokens);
    expect(items).toEqual([{ key: new Date().toISOString().slice(0, 10), ...totals }]);
  });

  it('by every dimension', async () => {
    const { totals } = await usage();
    const keys = async (group: string) => {
      const report = await usage(`group_by=${group}`);
      expect([group, report.totals]).toEqual([group, totals]);
      const cost = report.items.reduce((sum: number, item: Body) => sum + Math.round(item.cost_usd * 1e9), 0);
      expect([group, cost]).toEqual([group, Math.round(totals.cost_usd * 1e9)]);
      return report.items.map(({ key }: Body) => key);
    };
    expect(await keys('model')).toEqual(['gpt-4o-mini']);
    expect(await keys('provider')).toEqual(['openai']);
    expect(await keys('operation')).toEqual(['field_generation']);
    expect((await keys('user')).sort()).toEqual([api.userId, editor.userId].sort());
    expect((await keys('pipeline')).sort()).toEqual([leads.pipelineId, notes.pipelineId].sort());
    expect((await keys('field')).sort()).toEqual([leads.budgetId, notes.budgetId].sort());
    const ofUser = await usage('group_by=user');
    const own = ofUser.items.find(({ key }: Body) => key === editor.userId);
    expect(own).toMatchObject({ requests: 1, errors: 0, cached: 0 });
  });

  it('of another time and another tenant there is nothing', async () => {
    expect((await usage('from=2020-01-01&to=2020-02-01')).items).toEqual([]);
    const other = await stage.tenant();
    expect((await other.get('/ai-analytics/usage')).totals).toMatchObject({
      requests: 0,
      cost_usd: 0,
      cached: 0,
    });
    expect((await other.call('GET', '/ai-analytics/usage?from=2026-02-01&to=2026-01-01')).status).toBe(422);
    expect((await editor.call('GET', '/ai-analytics/usage')).status).toBe(403);
  });
});
