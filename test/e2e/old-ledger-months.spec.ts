import type { Api } from '../support/api.js';
import { AppConnections, asTenant } from '../support/app-connections.js';
import { addEntry } from '../support/ledger-rows.js';
import { envOf, runJobIn, scheduleHasBegun } from '../support/maintenance.js';
import { setStage, type Stage } from '../support/stage.js';

const KEEP = 2;

describe('old months of the ledger', () => {
  let stage: Stage;
  let api: Api;
  let app: AppConnections;

  beforeAll(async () => {
    stage = await setStage();
    api = await stage.tenant();
    // From here on only this test says when anything is rolled up or dropped.
    await scheduleHasBegun(stage.database, api);
    await stage.database.sql(`UPDATE ai_maintenance SET next_run = now() + interval '1 day'`);
    app = await AppConnections.open(stage.database, 2);
    await stage.database.sql(`SELECT ai_ensure_ledger_months((current_date - interval '6 months')::date, 6)`);
    for (let ago = 0; ago <= 5; ago += 1) {
      await add(monthOf(ago, 10));
      await add(monthOf(ago, 20));
    }
    await stage.database.sql(
      `INSERT INTO ai_budgets (tenant_id, scope, scope_id, period) VALUES ($1, 'tenant', 'self', date_trunc('month', now())::date)`,
      [api.tenantId],
    );
  });

  afterAll(async () => {
    await app.close();
    await stage.close();
  });

  /** A moment of the month so many before this one. */
  const monthOf = (ago: number, day = 1) => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - ago, day, 12)).toISOString();
  };
  const nameOf = (ago: number) => `ai_ledger_${monthOf(ago).slice(0, 7).replace('-', '_')}`;
  const add = (heldAt: string) =>
    asTenant(app.first, api.tenantId, () => addEntry(app.first, api.tenantId, { heldAt }));
  const months = async () => {
    const rows = await stage.database.sql<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'ai_ledger'::regclass ORDER BY 1`,
    );
    return rows.map(({ name }) => name).filter((name) => name <= nameOf(0));
  };
  const from = (ago: number) => [...Array(ago + 1).keys()].map(nameOf).sort();
  const run = async (name: string, keep?: number) => {
    const env = { ...envOf(stage.database), ...(keep ? { AI_LEDGER_RETENTION_MONTHS: String(keep) } : {}) };
    const { code, lines, stderr } = await runJobIn(env, name);
    if (code !== 0) throw new Error(stderr);
    return lines[0];
  };
  const usage = (query: string) => api.call('GET', `/ai-analytics/usage?${query}`);
  const whole = `from=${monthOf(5).slice(0, 10)}&to=${monthOf(-1).slice(0, 10)}`;

  it('stay for ever unless the operator says otherwise', async () => {
    await run('roll_up_ledger');
    expect(await run('drop_old_ledger_months')).toMatchObject({ dropped: 0 });
    expect(await months()).toEqual(from(6));
  });

  it('stay until they are rolled up, and a hold of them until it is settled', async () => {
    await add(monthOf(6, 15));
    expect(await run('drop_old_ledger_months', KEEP)).toMatchObject({ dropped: 0 });
    await run('roll_up_ledger');
    const columns = 'job_id, attempt, n, tenant_id, period, amount, dims, held_at';
    await stage.database.sql(
      `INSERT INTO ai_holds (${columns}) VALUES (gen_random_uuid(), 1, 1, $1, $2::timestamptz::date, 0, '{}', $2::timestamptz)`,
      [api.tenantId, monthOf(6)],
    );
    expect(await run('drop_old_ledger_months', KEEP)).toMatchObject({ dropped: 0 });
    await stage.database.sql('DELETE FROM ai_holds');
    expect(await months()).toEqual(from(6));
  });

  it('stay while somebody works with them, who does not wait for long', async () => {
    const [reader] = app.clients.slice(1);
    await reader!.query('BEGIN');
    await reader!.query('SELECT FROM ai_ledger LIMIT 1');
    expect(await run('drop_old_ledger_months', KEEP)).toMatchObject({ outcome: 'completed', dropped: 0 });
    await reader!.query('COMMIT');
  });

  it('go then, and their sums stay', async () => {
    const before = (await usage(whole)).body;
    expect(before.totals.requests).toBe(12);
    expect(await run('drop_old_ledger_months', KEEP)).toMatchObject({ dropped: 4 });
    expect(await months()).toEqual(from(KEEP));
    expect((await usage(whole)).body).toEqual(before);
    expect((await api.get(`/ai-analytics/performance?${whole}`)).items).toMatchObject([{ requests: 12 }]);
    await run('roll_up_ledger');
    expect((await usage(whole)).body).toEqual(before);
  });

  it('are told by whole days after that, and a part of one is refused', async () => {
    const [day, next] = [monthOf(5, 10), monthOf(5, 11)].map((at) => at.slice(0, 10));
    expect((await usage(`from=${day}&to=${next}`)).body.totals.requests).toBe(1);
    const part = await usage(`from=${day}T06:00:00Z&to=${next}`);
    expect([part.status, part.body.errors]).toEqual([
      422,
      [{ path: 'from', message: expect.stringContaining('give a day without a time') }],
    ]);
    expect(
      (await usage(`from=${next}T06:00:00Z&to=${monthOf(5, 12).slice(0, 10)}`)).body.totals.requests,
    ).toBe(0);
    expect((await usage(`from=${monthOf(1, 10).slice(0, 10)}T06:00:00Z`)).body.totals.requests).toBe(4);
  });
});
