import type { ReceivedRequest, ScriptRule, SimulatedUsage } from '#libs/llm-simulator';
import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { budgetOf, cents, settledSpent } from '../support/money.js';
import { generate } from '../support/pipelines.js';
import { billOf, type BilledModel } from '../support/provider-bill.js';
import { setStage, type Stage } from '../support/stage.js';

const [GPT, CLAUDE, GPT_LONG, CLAUDE_LONG, OWN] = [
  'gpt-4o-mini',
  'claude-haiku-4-5',
  'gpt-5.4',
  'claude-sonnet-4-5',
  'gpt-4.1-mini',
];
const TODAY = new Date().toISOString().slice(0, 10);
/** What the tenant pays for {@link OWN} before today and from today on, by the name of the lead. */
const AGREED: Record<string, BilledModel> = {
  'before the day': { input: 7n, cacheRead: 3n, output: 11n },
  'since the day': { input: 13n, cacheRead: 5n, output: 17n },
};

interface Sum {
  provider: string;
  model: string;
  calls: string;
  nano: string;
}

/** What was charged, by model; a result that needed no call is none. */
const LEDGER = `
  SELECT provider, model, count(*) FILTER (WHERE entry = 'settled') AS calls, sum(cost_nano) AS nano
    FROM ai_ledger WHERE tenant_id = $1 AND entry IN ('settled', 'unconfirmed', 'unconfirmed_released') GROUP BY 1, 2 ORDER BY 1, 2`;
const EXECUTIONS = `
  SELECT provider, model, count(*) AS calls, sum(cost_nano) AS nano
    FROM ai_executions WHERE tenant_id = $1 AND usage IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2`;
/** Jobs that tell another cost than the ledger has of them. */
const JOBS = `
  SELECT j.id, j.cost_nano AS told, sum(l.cost_nano) AS charged
    FROM ai_jobs j LEFT JOIN ai_ledger l ON l.tenant_id = j.tenant_id AND l.job_id = j.id
   WHERE j.tenant_id = $1 GROUP BY j.id, j.cost_nano HAVING j.cost_nano IS DISTINCT FROM coalesce(sum(l.cost_nano), 0)`;

describe('every nano-dollar of mixed work', () => {
  let stage: Stage;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage({ AI_RETRY_BASE_MS: '1' });
    api = await stage.tenant();
    await plainWork();
    await brokenWork();
    await cachedAndReasoned();
    await withTools();
    await longContexts();
    await bothSidesOfADay();
    await lostOnTheWay();
  });

  afterAll(() => stage.close());

  const answering = (text: string, usage: Partial<SimulatedUsage>, more: object = {}): ScriptRule => ({
    times: 1,
    action: { type: 'answer', text, usage, ...more },
  });
  const leadsOf = (model: string, more: Record<string, unknown> = {}) => Leads.of(api, { model, ...more });

  /** Generated, taken from the cache, unchanged, by force, for a workflow, and just tried. */
  async function plainWork(): Promise<void> {
    const leads = await leadsOf(GPT);
    const { recordId, jobId } = await leads.add('Ada');
    expect(await api.job(jobId)).toMatchObject({ outcome: 'generated' });
    expect(await leads.addDone('Ada')).toMatchObject({ outcome: 'cached' });
    expect(await generate(api, recordId, 'summary')).toMatchObject({ outcome: 'unchanged' });
    expect(await generate(api, recordId, 'summary', true)).toMatchObject({ outcome: 'generated' });
    const node_config = { node_id: 'n', model: CLAUDE, prompt: 'Greet {who}' };
    await api.post('/workflow-ai', {
      node_config,
      workflow_context: { who: 'Ada' },
      execution_id: 'x',
      wait: true,
    });
    await api.post('/ai-fields/try', {
      pipeline_id: leads.pipelineId,
      record_id: recordId,
      ai_config: { model: CLAUDE, prompt: 'Of {name}' },
    });
  }

  /** A repair that helps, one that does not, an error and its retry, and a refusal, which is charged for. */
  async function brokenWork(): Promise<void> {
    for (const model of [GPT, CLAUDE]) {
      const facts = await leadsOf(model, { output_type: 'json' });
      stage.simulator.script([{ times: 1, action: { type: 'malformed' } }]);
      expect(await facts.addDone(`Mended ${model}`)).toMatchObject({ outcome: 'generated' });
      stage.simulator.script([{ times: 2, action: { type: 'malformed' } }]);
      expect(await facts.addDone(`Broken ${model}`)).toMatchObject({ status: 'failed', retry_count: 0 });
      stage.simulator.script([{ times: 1, action: { type: 'error', status: 500 } }]);
      expect(await facts.addDone(`Retried ${model}`)).toMatchObject({ outcome: 'generated', retry_count: 1 });
      stage.simulator.script([{ times: 1, action: { type: 'refusal' } }]);
      expect(await facts.addDone(`Refused ${model}`)).toMatchObject({
        error_code: 'provider_content_refusal',
      });
    }
  }

  async function cachedAndReasoned(): Promise<void> {
    const usage = { input_tokens: 41, cache_read_tokens: 1_024, output_tokens: 333, reasoning_tokens: 256 };
    stage.simulator.script([answering('Thought.', usage)]);
    expect(await (await leadsOf(GPT)).addDone('Thought')).toMatchObject({ outcome: 'generated' });
    const written = { ...usage, cache_write_tokens: 57, cache_write_1h_tokens: 91 };
    stage.simulator.script([answering('Thought.', written)]);
    expect(await (await leadsOf(CLAUDE)).addDone('Thought')).toMatchObject({ outcome: 'generated' });
  }

  /** Searches and looks into files; a turn that is paused, and goes on with a further call. */
  async function withTools(): Promise<void> {
    const tools = { enable_tools: true, max_tool_calls: 3 };
    const gpt = { ...tools, allowed_tools: ['web_search', 'file_search'], vector_store_ids: ['vs_1'] };
    stage.simulator.script([answering('Found.', { web_searches: 2, file_searches: 1, input_tokens: 900 })]);
    expect(await (await leadsOf(GPT, gpt)).addDone('Found')).toMatchObject({ outcome: 'generated' });
    stage.simulator.script([
      answering('Let me look.', { web_searches: 2, cache_write_tokens: 800 }, { pause: true }),
      answering('Found.', { web_searches: 1, cache_read_tokens: 800 }),
    ]);
    const claude = await leadsOf(CLAUDE, { ...tools, allowed_tools: ['web_search'] });
    expect(await claude.addDone('Found')).toMatchObject({ outcome: 'generated' });
  }

  /** As long as the lower prices go, and a token more; each model once, because it costs more than was held. */
  async function longContexts(): Promise<void> {
    stage.simulator.script([
      answering('Long.', { input_tokens: 72_000, cache_read_tokens: 200_000, output_tokens: 9 }),
    ]);
    expect(await (await leadsOf(GPT_LONG)).addDone('Long')).toMatchObject({ outcome: 'generated' });
    const usage = { input_tokens: 150_000, cache_read_tokens: 50_000, cache_write_1h_tokens: 1 };
    stage.simulator.script([answering('Longer.', usage)]);
    expect(await (await leadsOf(CLAUDE_LONG)).addDone('Long')).toMatchObject({ outcome: 'generated' });
  }

  /** One price until today, another from today on, and one that nobody pays yet. */
  async function bothSidesOfADay(): Promise<void> {
    const leads = await leadsOf(OWN, { prompt: 'Lead {name}' });
    const put = (lead: string, effective_from: string) => {
      const { input, cacheRead, output } = AGREED[lead]!;
      const amounts = { input: Number(input), cache_read: Number(cacheRead), output: Number(output) };
      return api.ok('PUT', '/model-prices', { provider: 'openai', model: OWN, effective_from, ...amounts });
    };
    const usage = { cache_read_tokens: 77 };
    stage.simulator.script([{ action: { type: 'answer', text: 'Paid.', usage } }]);
    await put('since the day', '2099-01-01');
    await put('before the day', '2026-01-01');
    const old = await leads.addDone('before the day');
    await put('since the day', TODAY);
    const young = await leads.addDone('since the day');
    expect([old, young].map((job: Body) => job.executions[0].price_id)).toEqual([
      `tenant:openai/${OWN}@2026-01-01`,
      `tenant:openai/${OWN}@${TODAY}`,
    ]);
  }

  /** An answer that a person was faster than, one whose record is gone, and one that never came. */
  async function lostOnTheWay(): Promise<void> {
    const leads = await leadsOf(GPT);
    const held = async (name: string, meanwhile: (recordId: string) => Promise<unknown>) => {
      stage.simulator.clearRequests();
      stage.simulator.script([{ times: 1, action: { type: 'hold' } }]);
      const { recordId, jobId } = await leads.add(name);
      await stage.simulator.waitForRequests(1);
      await meanwhile(recordId);
      stage.simulator.release();
      return api.job(jobId);
    };
    keep();
    const typed = (id: string) => api.patch(`/records/${id}`, { data: { summary: 'Mine.' } });
    expect(await held('Typed', typed)).toMatchObject({ status: 'completed', outcome: 'discarded' });
    keep();
    const gone = (id: string) => api.ok('DELETE', `/records/${id}`);
    expect(await held('Gone', gone)).toMatchObject({ status: 'cancelled' });
    keep();
    stage.simulator.script([{ times: 1, action: { type: 'cut', after_bytes: 0 } }]);
    const cut = await leads.addDone('Cut');
    expect(cut).toMatchObject({ outcome: 'generated', retry_count: 1 });
    keep();
    const { items } = await api.get('/budgets/unconfirmed');
    expect(items).toHaveLength(1);
    const { job_id: job, attempt, n } = items[0];
    await api.post(`/budgets/unconfirmed/${job}/${attempt}/${n}/release`);
  }

  /** Requests of the provider's log, which is cleared now and then. */
  const kept = new Map<number, ReceivedRequest>();
  function keep(): void {
    for (const request of stage.simulator.requests()) kept.set(request.seq, request);
  }

  /** The provider's bill, by model. */
  function bill(): Sum[] {
    const sums = new Map<string, { calls: number; nano: bigint }>();
    for (const request of kept.values()) {
      const { model } = request.body as { model: string };
      const agreed = Object.entries(AGREED).find(([name]) =>
        JSON.stringify(request.body).includes(name),
      )?.[1];
      const { calls, nano } = sums.get(model) ?? { calls: 0, nano: 0n };
      const charged = request.answer?.usage ? 1 : 0;
      sums.set(model, { calls: calls + charged, nano: nano + billOf(request, agreed) });
    }
    const rows = [...sums].map(([model, { calls, nano }]) => ({
      provider: model.startsWith('claude') ? 'anthropic' : 'openai',
      model,
      calls: String(calls),
      nano: String(nano),
    }));
    return rows.sort((a, b) => (a.provider + a.model < b.provider + b.model ? -1 : 1));
  }

  it('is in the ledger, in the executions and in the jobs, as the providers billed it, model by model', async () => {
    const billed = bill();
    expect(billed.map(({ model }) => model)).toEqual([CLAUDE, CLAUDE_LONG, OWN, GPT, GPT_LONG]);
    const { sql } = stage.database;
    expect(await sql(LEDGER, [api.tenantId])).toEqual(billed);
    expect(await sql(EXECUTIONS, [api.tenantId])).toEqual(billed);
    expect(await sql(JOBS, [api.tenantId])).toEqual([]);
  });

  it('is in the budget and in the reports', async () => {
    const total = bill().reduce((sum, { nano }) => sum + BigInt(nano), 0n);
    expect(await settledSpent(api, stage.database)).toBe(total);
    expect(await budgetOf(api)).toMatchObject({ spent_cents: cents(total), unconfirmed_cents: 0 });
    const { items, totals } = await api.get('/ai-analytics/usage?group_by=model');
    expect(totals.cost_cents).toBe(cents(total));
    const costs = new Map(items.map(({ key, cost_cents: cost }: Body) => [key, cost]));
    for (const { model, nano } of bill()) expect([model, costs.get(model)]).toEqual([model, cents(nano)]);
  });
});
