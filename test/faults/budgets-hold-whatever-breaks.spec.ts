import { jest } from '@jest/globals';
import type { Api, Body } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { runJob } from '../support/maintenance.js';
import { billed, budgetOf, cents, ledgerEntries } from '../support/money.js';
import { watchForOverspending } from '../support/overspend-watch.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { promptOf } from '../support/provider-calls.js';
import { Random } from '../support/random.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(180_000);

const JOBS = 200;
const MAX_TOKENS = 20;
/** Calls that the tenant's budget has room for when nothing is spent; the others that fit come as answers cost less. */
const ROOM = 24;
/** Two processes that share a database; what a dead one leaves is found soon. */
const ENV = {
  AI_LEASE_MS: '1500',
  AI_RETRY_BASE_MS: '1',
  AI_MAX_RETRIES: '8',
  AI_PROVIDER_TIMEOUT_MS: '2000',
};
/** A strike for so many calls received. */
const CALLS_A_STRIKE = 3;
const STRIKES = 8;

/** Cuts some of the connections of the application, whatever they are in the middle of, commits too. */
const CUT = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
   WHERE datname = current_database() AND usename = 'fieldsmith_owner'
   ORDER BY md5(pid::text || $1::text) LIMIT 4`;

/** How many calls the ledger has of each lead. */
const CALLS = `
  SELECT r.data->>'name' AS name, count(DISTINCT (l.job_id, l.attempt, l.n))::int AS calls
    FROM ai_ledger l JOIN records r ON r.tenant_id = l.tenant_id AND r.id = l.record_id
   WHERE l.tenant_id = $1 AND l.entry <> 'free' GROUP BY 1`;

describe('a small budget, whatever breaks', () => {
  let stage: Stage;
  let second: RunningProduct;
  let overspent: () => Promise<object[]>;
  let api: Api;
  let editor: Api;
  let leads: Leads;
  let scores: Leads;
  let unpriced: Leads;
  /** Nano-USD that a call is held for, at least. */
  let hold: number;
  const random = new Random(11);

  beforeAll(async () => {
    stage = await setStage(ENV);
    overspent = await watchForOverspending(stage.database);
    hold = await measureHold();
    second = await another();
    api = await stage.tenant();
    editor = await api.as('editor');
    leads = await Leads.of(api, { max_tokens: MAX_TOKENS });
    scores = await Leads.of(api, { max_tokens: MAX_TOKENS, prompt: 'Rate {name}' });
    unpriced = await Leads.of(api, {
      max_tokens: MAX_TOKENS,
      provider: 'openai',
      model: 'gpt-4o-unheard-of',
    });
  });

  afterAll(async () => {
    const stopped = second.stop();
    await stage.close();
    await stopped;
  });

  const another = () => startProduct({ database: stage.database, providerUrl: stage.providerUrl, env: ENV });

  async function measureHold(): Promise<number> {
    const measuring = await stage.tenant();
    await (await Leads.of(measuring, { max_tokens: MAX_TOKENS })).addDone('Lead 100');
    const [entry] = await ledgerEntries(stage.database, measuring.tenantId);
    stage.simulator.clearRequests();
    return Number(entry!.hold_nano);
  }

  const put = (budget: string, calls: number) =>
    api.ok('PUT', `/budgets/${budget}`, { limit_cents: cents(Math.floor(calls * hold)) });

  /** First calls of each scope all at once: every third by another user, every fourth of another field. */
  async function addAll(): Promise<void> {
    const by = [api, api.at(second.url), editor];
    const adding = Array.from({ length: JOBS }, (_, n) =>
      add(n % 4 === 3 ? scores : leads, `Lead ${100 + n}`, by[n % 3]!),
    );
    await Promise.all([...adding, add(unpriced, 'Lead 999', api)]);
  }

  /** Adds a lead however often it takes: once more than is known, where the answer was lost. */
  async function add({ pipelineId }: Leads, name: string, by: Api): Promise<void> {
    for (let via = by; ; via = by.at(stage.product.url)) {
      const added = await via
        .call('POST', `/pipelines/${pipelineId}/records`, { data: { name } })
        .catch(() => undefined);
      if (added?.status === 201) return;
    }
  }

  /** Breaks connections and kills a process with its calls in flight, at points of progress. */
  async function strike(): Promise<void> {
    for (let strikes = 1; strikes <= STRIKES; strikes++) {
      await stage.simulator.waitForRequests(strikes * CALLS_A_STRIKE);
      if (strikes === STRIKES / 2) {
        await second.kill();
        second = await another();
      } else await stage.database.sql(CUT, [random.integer(0, 1_000_000)]);
    }
  }

  async function jobs(): Promise<Body[]> {
    const rows = await stage.database.sql<{ id: string }>('SELECT id FROM ai_jobs WHERE tenant_id = $1', [
      api.tenantId,
    ]);
    const all: Body[] = [];
    for (const { id } of rows) all.push(await api.job(id));
    return all;
  }

  it('holds: no scope is ever above its limit, no call goes without a hold, and no hold is left behind', async () => {
    await put('tenant/self', ROOM);
    await put(`user/${editor.userId}`, ROOM / 3);
    await put(`field/${scores.budgetId}`, ROOM / 4);
    stage.simulator.script([
      { probability: 0.05, action: { type: 'cut' } },
      { probability: 0.05, action: { type: 'error', status: 500 } },
      { latency_ms: 30 },
    ]);
    const striking = strike();
    await Promise.all([striking, addAll()]);

    const all = await jobs();
    expect(all.length).toBeGreaterThan(JOBS);
    expect(await overspent()).toEqual([]);
    const completed = all.filter(({ status }) => status === 'completed');
    expect(completed.length).toBeGreaterThan(ROOM / 2);
    for (const { pipeline_id: pipeline, status, error_code: code } of all.filter(
      (job) => !completed.includes(job),
    ))
      expect([status, code]).toEqual([
        'failed',
        pipeline === unpriced.pipelineId ? 'unknown_price' : 'budget_exceeded',
      ]);
    await expectEveryCallAccounted();
    await expectNothingHeld();
    expect(await overspent()).toEqual([]);
  });

  /** No request without an entry of its own, and what was billed is at most what is spent. */
  async function expectEveryCallAccounted(): Promise<void> {
    const requests = stage.simulator.requests();
    const calls = await stage.database.sql<{ name: string; calls: number }>(CALLS, [api.tenantId]);
    const entries = new Map(calls.map(({ name, calls: count }) => [name, count]));
    const received = new Map<string, number>();
    for (const request of requests) {
      const [name = ''] = /Lead \d+/.exec(promptOf(request)) ?? [];
      received.set(name, (received.get(name) ?? 0) + 1);
    }
    expect(received.has('Lead 999')).toBe(false);
    for (const [name, count] of received) {
      expect([name, (entries.get(name) ?? 0) >= count]).toEqual([name, true]);
    }
    const ledger = await ledgerEntries(stage.database, api.tenantId);
    const spent = ledger.reduce((sum, { cost_nano: cost }) => sum + BigInt(cost!), 0n);
    expect(billed(requests) <= spent).toBe(true);
    expect(spent <= BigInt(Math.floor(ROOM * hold))).toBe(true);
  }

  /** Every hold came to an end, and budgets are what holds and ledger come to. */
  async function expectNothingHeld(): Promise<void> {
    await api.until('no hold is left', async () => {
      const left = await stage.database.sql('SELECT FROM ai_holds WHERE tenant_id = $1', [api.tenantId]);
      return left.length === 0;
    });
    for (const [scope, id] of [
      ['tenant', 'self'],
      ['user', editor.userId],
      ['field', scores.budgetId],
    ] as const) {
      const { held_cents: held, spent_cents: spent, limit_cents: limit } = await budgetOf(api, scope, id);
      expect([scope, held, spent <= limit]).toEqual([scope, 0, true]);
    }
    expect(await runJob(stage.database, 'reconcile_holds')).toMatchObject({ drifts: 0 });
  }
});
