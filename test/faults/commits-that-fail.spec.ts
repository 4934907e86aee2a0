import { jest } from '@jest/globals';
import type { ReceivedRequest } from '#libs/llm-simulator';
import type { Api } from '../support/api.js';
import { failCommits } from '../support/failing-commits.js';
import { Leads } from '../support/leads.js';
import { runJob } from '../support/maintenance.js';
import { budgetOf, ledgerEntries } from '../support/money.js';
import { watchForOverspending } from '../support/overspend-watch.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { billOf } from '../support/provider-bill.js';
import { quiet } from '../support/quiet.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(180_000);

const ENV = { AI_LEASE_MS: '1500', AI_RETRY_BASE_MS: '1', AI_MAX_RETRIES: '5' };
/** Leads of each kind. */
const LEADS = 24;
/** Room for a handful of calls with tools at a time, which cost a fraction of what is held for them. */
const LIMIT_CENTS = 16;

/** Calls that the ledger has, by the name of the lead. */
const CALLS = `
  SELECT r.data->>'name' AS name, count(DISTINCT (l.job_id, l.attempt, l.n))::int AS calls
    FROM ai_ledger l JOIN records r ON r.tenant_id = l.tenant_id AND r.id = l.record_id
   WHERE l.tenant_id = $1 AND l.entry <> 'free' GROUP BY 1`;

const ENDS = `
  SELECT pipeline_id AS pipeline, coalesce(error_code, status::text) AS "end", count(*)::int AS jobs
    FROM ai_jobs WHERE tenant_id = $1 GROUP BY 1, 2`;

describe('a budget of calls with and without tools, where commits fail', () => {
  let stage: Stage;
  let second: RunningProduct;
  let api: Api;
  let overspent: () => Promise<object[]>;
  let failures: () => Promise<number>;
  /** Words, searches, and pictures, whose fee nobody knows. */
  let kinds: { plain: Leads; searching: Leads; painting: Leads };

  beforeAll(async () => {
    stage = await setStage(ENV);
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env: ENV });
    api = await stage.tenant();
    const tools = { enable_tools: true, max_tool_calls: 1, max_tokens: 20 };
    kinds = {
      plain: await Leads.of(api, { max_tokens: 20 }),
      searching: await Leads.of(api, { ...tools, allowed_tools: ['web_search'] }),
      painting: await Leads.of(api, { ...tools, allowed_tools: ['image_generation'] }),
    };
    await api.ok('PUT', '/budgets/tenant/self', { limit_cents: LIMIT_CENTS });
    overspent = await watchForOverspending(stage.database);
    failures = await failCommits(stage.database);
  });

  afterAll(async () => {
    const stopped = second.stop();
    await stage.close();
    await stopped;
  });

  /** Adds a lead however often it takes: saving it is one of the commits that fail. */
  async function add({ pipelineId }: Leads, name: string, by: Api): Promise<void> {
    const path = `/pipelines/${pipelineId}/records`;
    while ((await by.call('POST', path, { data: { name } })).status !== 201);
  }

  const nameIn = ({ body }: ReceivedRequest) => /[A-Z]\w+ \d+/.exec(JSON.stringify(body))?.[0] ?? '';

  it('is never overspent, no call goes without a hold, and no hold is left behind', async () => {
    stage.simulator.script([{ probability: 0.05, action: { type: 'cut' } }, { latency_ms: 10 }]);
    const by = [api, api.at(second.url)];
    await Promise.all(
      Array.from({ length: LEADS }, async (_, n) => {
        await add(kinds.plain, `Plain ${n}`, by[n % 2]!);
        await add(kinds.searching, `Searched ${n}`, by[n % 2]!);
        if (n % 10 === 0) await add(kinds.painting, `Painted ${n}`, by[n % 2]!);
      }),
    );
    await quiet(stage.database, api);
    expect(await failures()).toBeGreaterThan(20);
    await expectEnds();
    expect(await overspent()).toEqual([]);
    await expectEveryCallAccounted();
    expect(await budgetOf(api)).toMatchObject({ held_cents: 0 });
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0 });
  });

  /** What fits is done; what does not, and pictures, whose fee nobody knows, are refused before anything is sent. */
  async function expectEnds(): Promise<void> {
    const ends = await stage.database.sql<{ pipeline: string; end: string; jobs: number }>(ENDS, [
      api.tenantId,
    ]);
    const count = ({ pipelineId }: Leads, wanted: string) =>
      ends.find(({ pipeline, end }) => pipeline === pipelineId && end === wanted)?.jobs ?? 0;
    expect(count(kinds.plain, 'completed')).toBeGreaterThan(LEADS / 2);
    expect(count(kinds.searching, 'completed')).toBeGreaterThan(0);
    expect(count(kinds.searching, 'budget_exceeded')).toBeGreaterThan(0);
    expect([count(kinds.painting, 'completed'), count(kinds.painting, 'unknown_price') > 0]).toEqual([
      0,
      true,
    ]);
    // Failing commits end some; a hold that was too small would stop the model.
    const byCommits = ['internal_error', 'store_failed', 'worker_lost'];
    const known = ['completed', 'budget_exceeded', 'unknown_price', ...byCommits];
    expect(ends.filter(({ end }) => !known.includes(end))).toEqual([]);
  }

  /** No request without an entry of its own, none for a picture, and no more billed than is spent. */
  async function expectEveryCallAccounted(): Promise<void> {
    const requests = stage.simulator.requests();
    const rows = await stage.database.sql<{ name: string; calls: number }>(CALLS, [api.tenantId]);
    const entries = new Map(rows.map(({ name, calls }) => [name, calls]));
    const received = new Map<string, number>();
    for (const request of requests) received.set(nameIn(request), (received.get(nameIn(request)) ?? 0) + 1);
    for (const [name, count] of received)
      expect([name, (entries.get(name) ?? 0) >= count]).toEqual([name, true]);
    const sent = [...received.keys()];
    for (const kind of ['Plain', 'Searched'])
      expect([kind, sent.some((name) => name.startsWith(kind))]).toEqual([kind, true]);
    expect(sent.filter((name) => name === '' || name.startsWith('Painted'))).toEqual([]);
    const ledger = await ledgerEntries(stage.database, api.tenantId);
    const spent = ledger.reduce((sum, { cost_nano: cost }) => sum + BigInt(cost ?? 0), 0n);
    const billed = requests.reduce((sum, request) => sum + billOf(request), 0n);
    expect([billed > 0n, billed <= spent, spent <= BigInt(LIMIT_CENTS) * 10_000_000n]).toEqual([
      true,
      true,
      true,
    ]);
  }
});
