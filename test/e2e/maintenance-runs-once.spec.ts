import { jest } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { makeDataFolder } from '../support/data-folder.js';
import { logLines } from '../support/log-lines.js';
import { COMMANDS, envOf, MAINTENANCE_JOBS, runJob, runJobIn } from '../support/maintenance.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { runProduct } from '../support/program.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(120_000);

const ENV = { LOG_LEVEL: 'debug' };
/** That of the sweep. */
const LEASE_MS = 5_000;

interface Row {
  name: string;
  run: number;
  outcome: string | null;
  running: boolean;
}

describe('maintenance', () => {
  let stage: Stage;
  let second: RunningProduct;
  let api: Api;

  beforeAll(async () => {
    stage = await setStage(ENV);
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl, env: ENV });
    api = await stage.tenant();
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  const rows = () =>
    stage.database.sql<Row>(
      'SELECT name, run::int, outcome, lease_until > now() AS running FROM ai_maintenance ORDER BY name',
    );
  const rowOf = async (name: string) => (await rows()).find((row) => row.name === name)!;
  /** How often a process said that it has run a job. */
  const told = (product: RunningProduct, name: string) =>
    logLines(product.output()).filter(
      ({ message, job }) => message === 'maintenance completed' && job === name,
    ).length;

  it('runs everything once at the first start', async () => {
    await api.until('all have run', async () =>
      (await rows()).every(({ outcome }) => outcome === 'completed'),
    );
    expect((await rows()).map(({ name }) => name)).toEqual(MAINTENANCE_JOBS);
    for (const name of MAINTENANCE_JOBS.filter((each) => each !== 'sweep_leases'))
      expect([name, (await rowOf(name)).run]).toEqual([name, 1]);
  });

  it('runs in exactly one of two processes whenever it is due', async () => {
    const both = () => told(stage.product, 'reconcile_holds') + told(second, 'reconcile_holds');
    for (let round = 1; round <= 5; round += 1) {
      const [ran, { run }] = [both(), await rowOf('reconcile_holds')];
      await stage.database.sql(`UPDATE ai_maintenance SET next_run = now() WHERE name = 'reconcile_holds'`);
      await api.until('it has run', async () => both() > ran);
      expect([round, both() - ran, (await rowOf('reconcile_holds')).run - run]).toEqual([round, 1, 1]);
    }
  });

  it('runs by command beside them, and a command waits for a run that goes on', async () => {
    const { run } = await rowOf('ensure_ledger_months');
    const results = await Promise.all([1, 2, 3].map(() => runJob(stage.database, 'ensure_ledger_months')));
    for (const result of results)
      expect(result).toEqual({
        job: 'ensure_ledger_months',
        outcome: 'completed',
        duration_ms: expect.any(Number),
        made: 0,
      });
    expect((await rowOf('ensure_ledger_months')).run - run).toBe(3);
  });

  it('is not taken over while a batch of it takes longer than its lease', async () => {
    const leased = async () => {
      const [row] = await stage.database.sql<{ run: number; until: Date | null }>(
        `SELECT run::int, lease_until AS until FROM ai_maintenance WHERE name = 'sweep_leases'`,
      );
      return row!;
    };
    const blocker = new pg.Client({ connectionString: stage.database.adminUrl });
    await blocker.connect();
    try {
      await blocker.query('BEGIN; LOCK TABLE ai_workers IN SHARE MODE');
      await api.until('a sweep is stopped in its batch', async () => {
        const stopped = await stage.database.sql(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ai_sweep_workers%'
              AND datname = current_database()`,
        );
        return stopped.length > 0;
      });
      const { run, until } = await leased();
      const isLonger = (now: Date | null) => now !== null && now.getTime() > until!.getTime() + LEASE_MS;
      await api.until('its lease is another, or the run is', async () => {
        const now = await leased();
        return now.run !== run || isLonger(now.until);
      });
      expect(await leased()).toMatchObject({ run });
    } finally {
      await blocker.end();
    }
  });

  it('is taken over when its process dies in the middle, once its lease has run out', async () => {
    await stage.database.sql(
      `UPDATE ai_maintenance SET lease_until = now() + interval '300 milliseconds', next_run = now() - interval '1 hour',
              holder = 'a process that is gone' WHERE name = 'apply_retention'`,
    );
    const { run } = await rowOf('apply_retention');
    await api.until('another has run it', async () => (await rowOf('apply_retention')).run > run);
    await api.until('it is done', async () => !(await rowOf('apply_retention')).running);
    expect(await rowOf('apply_retention')).toMatchObject({ outcome: 'completed' });
  });

  it('tells what failed, tries it again within a minute, and says so in the metrics', async () => {
    const hide = (from: string, to: string) => stage.database.sql(`ALTER FUNCTION ${from} RENAME TO ${to}`);
    await hide('ai_drop_old_events(interval, int)', 'ai_hidden');
    const { code, lines } = await runJobIn(
      { ...envOf(stage.database), LOG_LEVEL: 'fatal' },
      'apply_retention',
    );
    await hide('ai_hidden(interval, int)', 'ai_drop_old_events');
    expect([code, lines]).toMatchObject([1, [{ job: 'apply_retention', outcome: 'failed' }]]);
    const [next] = await stage.database.sql<{ seconds: number }>(
      `SELECT extract(epoch FROM next_run - now())::float8 AS seconds FROM ai_maintenance WHERE name = 'apply_retention'`,
    );
    expect(next!.seconds).toBeLessThanOrEqual(60);
  });

  it('names the jobs there are where a command asks for another, and exits 1', async () => {
    const { code, lines, stderr } = await runJobIn(envOf(stage.database), 'sweep_floors');
    expect([code, lines]).toEqual([1, []]);
    expect(stderr.trim()).toMatch(/^There is no job "sweep_floors"; there are: [\w, -]+\.$/);
    for (const name of [...MAINTENANCE_JOBS, ...COMMANDS]) expect(stderr).toContain(name);
  });

  it('says what to check where the database is not there', async () => {
    const gone = new URL(stage.database.url);
    gone.pathname = '/nowhere';
    const env = { ...envOf(stage.database), DATABASE_URL: gone.href };
    const { code, stderr } = await runJobIn(env, 'sweep_leases');
    expect(code).toBe(1);
    expect(stderr).toContain('check that it runs, and DATABASE_URL');
    expect(stderr).not.toContain(gone.password);
  });
});

describe('maintenance by command on the embedded Postgres', () => {
  it('works beside a product that runs, and alone', async () => {
    const folder = makeDataFolder();
    const env = { DATA_DIR: folder.path, PORT: '0', DEMO: '0' };
    const product = runProduct(env);
    try {
      await product.said(/Fieldsmith runs at (\S+)/);
      const postgres = folder.postgresPid();
      expect((await runJobIn(env, 'retry_failed_jobs')).lines).toMatchObject([
        { outcome: 'completed', retried: 0 },
      ]);
      expect(folder.postgresPid()).toBe(postgres);
      product.process.kill('SIGTERM');
      expect(await product.ended).toBe(0);
      const alone = await runJobIn(env, 'sweep_leases');
      expect([alone.code, alone.lines]).toMatchObject([
        0,
        [{ job: 'sweep_leases', outcome: 'completed', jobs: 0 }],
      ]);
      expect(folder.postgresPid()).toBeUndefined();
    } finally {
      product.process.kill('SIGKILL');
      await product.ended;
      await folder.remove();
    }
  });
});
