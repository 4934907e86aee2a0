import { parse } from 'csv-parse/sync';
import type { Api } from '../support/api.js';
import { AppConnections, asTenant } from '../support/app-connections.js';
import { addEntry, type TestEntry } from '../support/ledger-rows.js';
import { setStage, type Stage } from '../support/stage.js';

const DAY_MS = 86_400_000;
const CENT = 10_000_000;

describe('reports on costs', () => {
  let stage: Stage;
  let api: Api;
  let app: AppConnections;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    app = await AppConnections.open(stage.database, 1);
    await add(1, { principal: 'ann', cost: 3 * CENT, field: 'summary' });
    await add(1, { principal: 'bob', cost: CENT, field: 'summary', model: '=HYPERLINK("x")' });
    await add(2, {
      principal: 'ann',
      cost: 4 * CENT,
      field: 'score',
      attempt: 2,
      durationMs: 900,
      output: 90,
    });
    await add(2, {
      principal: 'bob',
      field: 'score',
      entry: 'released',
      cost: 0,
      outcome: 'provider_timeout',
      output: 0,
    });
    await add(2, { entry: 'free', cost: 0, outcome: 'cached', input: 0, output: 0 });
    await add(8, { principal: 'ann', cost: 2 * CENT });
  });

  afterAll(async () => {
    await app.close();
    await stage.close();
  });

  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const dayAgo = (days: number) => new Date(today - days * DAY_MS).toISOString().slice(0, 10);
  const add = (daysAgo: number, entry: Omit<TestEntry, 'heldAt'>) =>
    asTenant(app.first, api.tenantId, () =>
      addEntry(app.first, api.tenantId, { heldAt: `${dayAgo(daysAgo)}T12:00:00Z`, ...entry }),
    );
  const week = `from=${dayAgo(6)}&to=${dayAgo(-1)}`;

  it('have items, totals, the time before, top spenders, budgets and a projection', async () => {
    await api.call('PUT', '/budgets/tenant/self', { limit_cents: 5_000 });
    const report = await api.get(`/ai-analytics/costs?${week}&group_by=field`);
    expect(report.items).toMatchObject([
      { key: 'p:score', requests: 2, cost_cents: 4, cost_usd: 0.04, errors: 1 },
      { key: 'p:summary', requests: 2, cost_cents: 4, cached: 1 },
    ]);
    expect(report.totals).toMatchObject({ requests: 4, cost_cents: 8, errors: 1, cached: 1 });
    expect(report.previous_period).toMatchObject({
      from: `${dayAgo(13)}T00:00:00.000Z`,
      to: `${dayAgo(6)}T00:00:00.000Z`,
      totals: { requests: 1, cost_cents: 2 },
      change_percent: 300,
    });
    expect(report.top_spenders).toEqual({
      users: [
        { key: 'ann', cost_usd: 0.07, cost_cents: 7, share: 0.875 },
        { key: 'bob', cost_usd: 0.01, cost_cents: 1, share: 0.125 },
      ],
      fields: [
        { key: 'p:score', cost_usd: 0.04, cost_cents: 4, share: 0.5 },
        { key: 'p:summary', cost_usd: 0.04, cost_cents: 4, share: 0.5 },
      ],
    });
    expect(report.budgets).toMatchObject([{ scope: 'tenant', limit_cents: 5_000 }]);
    const {
      month,
      spent_usd: spent,
      pace_usd: pace,
      days_left: left,
      projected_usd: projected,
    } = report.projection;
    expect(month).toBe(dayAgo(0).slice(0, 7));
    expect([pace > 0.08 / 7 - 1e-9, pace < 0.08 / 6 + 1e-9]).toEqual([true, true]);
    expect(projected).toBeCloseTo(spent + pace * left, 3);
  });

  it('tell of a new tenant that there is nothing', async () => {
    const other = await stage.tenant();
    const report = await other.get('/ai-analytics/costs');
    expect(report).toMatchObject({
      items: [],
      totals: { requests: 0, cost_usd: 0 },
      previous_period: { totals: { cost_usd: 0 }, change_percent: null },
      projection: { spent_usd: 0, projected_usd: 0 },
      top_spenders: { users: [], fields: [] },
    });
    expect((await other.get('/ai-analytics/performance')).items).toEqual([]);
  });

  it('are a table for spreadsheets too, which runs nothing', async () => {
    const { status, headers, body } = await api.call(
      'GET',
      `/ai-analytics/costs?${week}&group_by=model&format=csv`,
    );
    expect([status, headers.get('content-type'), headers.get('content-disposition')]).toEqual([
      200,
      'text/csv; charset=utf-8; header=present',
      'attachment; filename="ai-costs-by-model.csv"',
    ]);
    expect(body).toContain(`"'=HYPERLINK(""x"")",1,`);
    expect(body.endsWith('\r\n')).toBe(true);
    const rows = parse(body, { columns: true });
    expect(rows).toMatchObject([
      { model: `'=HYPERLINK("x")`, requests: '1', cost_cents: '1' },
      { model: 'gpt-4o-mini', requests: '3', cost_cents: '7', cost_usd: '0.07', cached: '1' },
    ]);
  });

  it('and on performance tell times, speed, retries and errors of each model', async () => {
    const { items } = await api.get(`/ai-analytics/performance?${week}`);
    expect(items).toEqual([
      {
        model: 'gpt-4o-mini',
        requests: 3,
        success_rate: 0.6667,
        p50_ms: 101,
        p95_ms: expect.closeTo(900, -2),
        p99_ms: expect.closeTo(900, -2),
        tokens_per_second: 95,
        retries: 1,
        errors: { provider_timeout: 1 },
      },
      expect.objectContaining({ model: '=HYPERLINK("x")', requests: 1, success_rate: 1, errors: {} }),
    ]);
  });

  it.each([
    ['costs', 'group_by=tenant', 'group_by'],
    ['costs', 'format=xlsx', 'format'],
    ['costs', 'from=2026-02-01&to=2026-01-01', 'from'],
    ['costs', 'from=2024-01-01&to=2026-01-01', 'from'],
    ['costs', 'from=yesterday', 'from'],
    ['costs', 'colour=red', 'colour'],
    ['costs', 'group_by[]=day', 'group_by'],
    ['usage', 'format=csv', 'format'],
    ['performance', 'group_by=day', 'group_by'],
    ['performance', 'to=2026-13-01', 'to'],
  ])('%s?%s is refused', async (report, query, path) => {
    const { status, body } = await api.call('GET', `/ai-analytics/${report}?${query}`);
    expect([status, body.errors.map((error: { path: string }) => error.path)]).toEqual([
      422,
      expect.arrayContaining([expect.stringContaining(path)]),
    ]);
  });
});
