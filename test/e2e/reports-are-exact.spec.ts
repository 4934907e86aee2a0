import { jest } from '@jest/globals';
import type pg from 'pg';
import type { Api, Body } from '../support/api.js';
import { AppConnections } from '../support/app-connections.js';
import { addEntry, type TestEntry } from '../support/ledger-rows.js';
import { runJob, scheduleHasBegun } from '../support/maintenance.js';
import { newCall, placeHold, settle } from '../support/money-functions.js';
import { Random } from '../support/random.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(120_000);

const DAY_MS = 86_400_000;
/** All of them within the default range, this month or not. */
const DAYS = 20;
const STEPS = 120;

/** Keys as plain sums of the ledger have them. */
const KEYS: Record<string, string> = {
  day: `to_char(held_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  model: 'model',
  provider: 'provider',
  user: 'principal_id',
  pipeline: 'pipeline_id',
  field: `pipeline_id || ':' || field`,
  operation: 'operation',
  template: 'NULL::text',
};

/** A time as it is told of a histogram: within 2.2 %, in whole milliseconds. */
const near = (ms: number | undefined): unknown =>
  ms === undefined
    ? null
    : {
        asymmetricMatch: (told: number) => Math.abs(told - ms) <= ms * 0.0222 + 0.5,
        toString: () => `near ${ms}`,
      };

interface Call {
  outcome: string;
  entry: string;
  attempt: number;
  n: number;
  duration_ms: number | null;
  output_tokens: string;
}

describe('reports', () => {
  let stage: Stage;
  let api: Api;
  let app: AppConnections;
  let today: number;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    // From here on only this test says when anything is rolled up.
    await scheduleHasBegun(stage.database, api);
    await stage.database.sql(`UPDATE ai_maintenance SET next_run = now() + interval '1 day'`);
    app = await AppConnections.open(stage.database, 6);
    today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  });

  afterAll(async () => {
    await app.close();
    await stage.close();
  });

  const plain = (key: string, from: string, to: string) =>
    stage.database.sql(
      `SELECT ${key} AS key, count(*) FILTER (WHERE entry IN ('settled', 'released', 'unconfirmed'))::float8 AS requests,
              sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens)::float8 AS input_tokens,
              sum(output_tokens)::float8 AS output_tokens, coalesce(sum(cost_nano), 0)::text AS cost,
              count(*) FILTER (WHERE entry IN ('released', 'unconfirmed'))::float8 AS errors,
              count(*) FILTER (WHERE entry = 'free')::float8 AS cached
         FROM ai_ledger WHERE tenant_id = $1 AND held_at >= $2 AND held_at < $3 GROUP BY 1 ORDER BY 1`,
      [api.tenantId, from, to],
    );
  const reported = ({ key, requests, input_tokens, output_tokens, cost_usd, errors, cached }: Body) => ({
    key,
    requests,
    input_tokens,
    output_tokens,
    cost: String(Math.round(cost_usd * 1e9)),
    errors,
    cached,
  });

  /** Compares every report with what the ledger comes to by itself. */
  async function compare(from: string, to: string): Promise<void> {
    const query = `from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
    for (const [group, key] of Object.entries(KEYS)) {
      const { items } = await api.get(`/ai-analytics/usage?${query}&group_by=${group}`);
      expect([group, items.map(reported)]).toEqual([group, await plain(key, from, to)]);
    }
    const { items } = await api.get(`/ai-analytics/performance?${query}`);
    for (const item of items) expect(item).toEqual(await performanceOf(item.model, from, to));
    const models = await stage.database.sql(
      `SELECT DISTINCT model FROM ai_ledger WHERE tenant_id = $1 AND held_at >= $2 AND held_at < $3
          AND entry IN ('settled', 'released', 'unconfirmed')`,
      [api.tenantId, from, to],
    );
    expect(items).toHaveLength(models.length);
  }

  async function performanceOf(model: string, from: string, to: string): Promise<Body> {
    const calls = await stage.database.sql<Call>(
      `SELECT outcome, entry, attempt, n, duration_ms, output_tokens FROM ai_ledger WHERE tenant_id = $1 AND model = $2
          AND held_at >= $3 AND held_at < $4 AND entry IN ('settled', 'released', 'unconfirmed')`,
      [api.tenantId, model, from, to],
    );
    const answered = calls.filter(({ outcome }) => outcome === 'answered');
    const timed = answered.filter((call) => call.duration_ms !== null);
    const times = timed.map((call) => call.duration_ms!).sort((a, b) => a - b);
    const errors: Record<string, number> = {};
    for (const { outcome } of calls) if (outcome !== 'answered') errors[outcome] = (errors[outcome] ?? 0) + 1;
    const seconds = timed.reduce((sum, call) => sum + call.duration_ms!, 0) / 1000;
    const tokens = timed.reduce((sum, call) => sum + Number(call.output_tokens), 0);
    return {
      model,
      requests: calls.length,
      success_rate: Number((answered.length / calls.length).toFixed(4)),
      p50_ms: near(times[Math.ceil(0.5 * times.length) - 1]),
      p95_ms: near(times[Math.ceil(0.95 * times.length) - 1]),
      p99_ms: near(times[Math.ceil(0.99 * times.length) - 1]),
      tokens_per_second: seconds > 0 ? Number((tokens / seconds).toFixed(2)) : null,
      retries: calls.filter(({ attempt, n }) => attempt > 1 && n === 1).length,
      errors,
    };
  }

  const at = (daysAgo: number, random: Random) =>
    new Date(today - daysAgo * DAY_MS + random.integer(0, DAY_MS - 1)).toISOString();

  function randomEntry(random: Random): TestEntry {
    const entry = random.pick(['settled', 'settled', 'settled', 'released', 'unconfirmed', 'free'] as const);
    const noField = random.chance(0.2);
    return {
      heldAt: at(random.integer(0, DAYS - 1), random),
      attempt: random.integer(1, 3),
      n: random.integer(1, 2),
      entry,
      principal: random.pick(['ann', 'bob', 'service']),
      pipeline: noField ? null : random.pick(['leads', 'companies']),
      field: noField ? null : random.pick(['summary', 'score', '=sum']),
      operation: random.pick(['field_generation', 'llm_job']),
      provider: random.pick(['openai', 'anthropic']),
      model: random.pick(['gpt-4o-mini', 'claude-haiku-4-5', 'unknown']),
      cost: random.chance(0.1) ? null : random.integer(0, 5_000_000),
      input: random.integer(0, 2_000),
      output: entry === 'settled' ? random.integer(0, 500) : 0,
      durationMs: random.chance(0.1) ? null : random.integer(1, 60_000),
      outcome:
        entry === 'settled'
          ? 'answered'
          : entry === 'free'
            ? 'unchanged'
            : random.pick(['timeout', 'answered']),
    };
  }

  const begin = async (client: pg.Client) => {
    await client.query('BEGIN');
    await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [api.tenantId]);
  };
  /** Rolls up the next few rows. @returns how many. */
  const rollUp = async (client: pg.Client, limit: number) => {
    await begin(client);
    const { rows } = await client.query<{ rows: number }>('SELECT ai_roll_up_ledger($1, $2) AS rows', [
      api.tenantId,
      limit,
    ]);
    await client.query(limit % 7 === 0 ? 'ROLLBACK' : 'COMMIT');
    return rows[0]!.rows;
  };

  it('agree with the ledger after every commit, whatever order they come in and however much is rolled up', async () => {
    const random = new Random(20_261_121);
    const [roller, ...writers] = app.clients as [pg.Client, ...pg.Client[]];
    const open = new Set<pg.Client>();
    for (let step = 1; step <= STEPS; step += 1) {
      const client = random.pick(writers);
      if (!open.has(client)) {
        await begin(client);
        open.add(client);
      }
      for (let rows = random.integer(1, 4); rows > 0; rows -= 1)
        await addEntry(client, api.tenantId, randomEntry(random));
      // Older transactions stay open while younger ones commit: what they wrote turns up below what is rolled up.
      if (random.chance(0.4)) {
        await client.query(random.chance(0.15) ? 'ROLLBACK' : 'COMMIT');
        open.delete(client);
      }
      if (random.chance(0.4)) await rollUp(roller, random.integer(1, 30));
      if (step % 30 === 0) await compare(...rangeFor(random));
    }
    for (const client of open) await client.query('COMMIT');
    await compare(...rangeFor(random));
    while ((await rollUp(roller, 8)) > 0);
    const [left] = await stage.database.sql(
      `SELECT FROM ai_ledger WHERE tenant_id = $1 AND xid > (SELECT xid FROM ai_rollup_positions WHERE tenant_id = $1)`,
      [api.tenantId],
    );
    expect(left).toBeUndefined();
    await compare(new Date(today - DAYS * DAY_MS).toISOString(), new Date(today + DAY_MS).toISOString());
  });

  /** Whole days, or from some moment to another. */
  function rangeFor(random: Random): [string, string] {
    const [first, last] = [random.integer(2, DAYS), random.integer(0, 1)];
    if (random.chance(0.5)) return [at(first, random), at(last, random)];
    return [new Date(today - first * DAY_MS).toISOString(), new Date(today - last * DAY_MS).toISOString()];
  }

  it('count a correction that is written long after its call was rolled up', async () => {
    const client = app.first;
    const before = (await api.get('/ai-analytics/usage')).totals;
    const [late, given] = [newCall(), newCall()];
    for (const call of [late, given]) {
      expect(await placeHold(client, api.tenantId, call, { amount: 1_000, user: 'ann', field: 'f' })).toBe(
        'held',
      );
      await settle(client, api.tenantId, call, { state: 'unconfirmed', outcome: 'worker_lost' });
    }
    await runJob(stage.database, 'roll_up_ledger');
    const spent = async () =>
      Math.round(((await api.get('/ai-analytics/usage')).totals.cost_usd - before.cost_usd) * 1e9);
    expect(await spent()).toBe(2_000);
    await settle(client, api.tenantId, late, { state: 'settled', cost: 300 });
    expect(await spent()).toBe(1_300);
    await settle(client, api.tenantId, given, { state: 'released' });
    expect(await spent()).toBe(300);
    await runJob(stage.database, 'roll_up_ledger');
    expect(await spent()).toBe(300);
    await compare(new Date(today - DAYS * DAY_MS).toISOString(), new Date(today + DAY_MS).toISOString());
  });

  it('roll up once, however many do it at the same time', async () => {
    const random = new Random(7);
    for (let i = 0; i < 200; i += 1) {
      await begin(app.first);
      await addEntry(app.first, api.tenantId, randomEntry(random));
      await app.first.query('COMMIT');
    }
    await Promise.all(
      app.clients.map(async (client) => {
        while ((await rollUp(client, 13)) > 0);
      }),
    );
    await compare(new Date(today - DAYS * DAY_MS).toISOString(), new Date(today + DAY_MS).toISOString());
  });

  it('stay right where the database was restored into a cluster that counts from the beginning', async () => {
    await stage.database.sql(`UPDATE ai_ledger SET xid = xid + 4000000000`);
    await stage.database.sql(`UPDATE ai_rollup_positions SET xid = xid + 4000000000`);
    await begin(app.first);
    await addEntry(app.first, api.tenantId, randomEntry(new Random(3)));
    await app.first.query('COMMIT');
    expect(await runJob(stage.database, 'roll_up_ledger')).toMatchObject({ mended: 1 });
    expect(await runJob(stage.database, 'roll_up_ledger')).toMatchObject({ mended: 0, rows: 0 });
    await compare(new Date(today - DAYS * DAY_MS).toISOString(), new Date(today + DAY_MS).toISOString());
  });

  it('show a tenant nothing of another, rolled up or not', async () => {
    const other = await stage.tenant();
    for (const path of ['usage', 'usage?group_by=field', 'performance'])
      expect((await other.get(`/ai-analytics/${path}`)).items).toEqual([]);
  });
});
