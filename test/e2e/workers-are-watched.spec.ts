import { jest } from '@jest/globals';
import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { MAINTENANCE_JOBS, runJob } from '../support/maintenance.js';
import { scrape, sum } from '../support/metrics.js';
import { startProduct, type RunningProduct } from '../support/product.js';
import { setStage, type Stage } from '../support/stage.js';

jest.setTimeout(120_000);

describe('workers', () => {
  let stage: Stage;
  let second: RunningProduct;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage();
    second = await startProduct({ database: stage.database, providerUrl: stage.providerUrl });
    api = await stage.tenant();
    leads = await Leads.of(api);
  });

  afterAll(async () => {
    await second.stop();
    await stage.close();
  });

  beforeEach(() => {
    stage.simulator.clearScript();
    stage.simulator.clearRequests();
  });

  const health = () => api.get('/ai-jobs/worker_health');
  const pids = async (): Promise<string[]> =>
    (await health()).workers.map(({ id }: { id: string }) => id.split(':')[1]!).sort();
  const pidsOf = (...products: RunningProduct[]) => products.map(({ process }) => String(process.pid)).sort();
  /** What an hour of silence would do, without the hour. */
  const silence = (seconds: number, product: RunningProduct) =>
    stage.database.sql(
      `UPDATE ai_workers SET heartbeat_at = heartbeat_at - make_interval(secs => $1) WHERE id LIKE '%:' || $2 || ':%'`,
      [seconds, String(product.process.pid)],
    );

  it('are listed with their slots, and what they do for others is told to nobody', async () => {
    await api.until('both are there', async () => (await pids()).length === 2);
    expect(await pids()).toEqual(pidsOf(stage.product, second));
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const other = await stage.tenant();
    const { jobId } = await (await Leads.of(other)).add('Ada');
    await stage.simulator.waitForRequests(1);
    expect(await health()).toMatchObject({
      status: 'ok',
      workers_alive: 2,
      workers: [{ jobs: 0 }, { jobs: 0 }],
      pending: 0,
      processing: 0,
    });
    expect(JSON.stringify(await health())).not.toContain(other.tenantId);
    const theirs = await other.get('/ai-jobs/worker_health');
    expect(theirs.workers.map(({ jobs }: { jobs: number }) => jobs).sort()).toEqual([0, 1]);
    stage.simulator.release();
    await other.job(jobId);
  });

  it('leave the list when they stop, and when they were killed', async () => {
    const third = await startProduct({ database: stage.database, providerUrl: stage.providerUrl });
    await api.until('three are there', async () => (await pids()).length === 3);
    expect(await third.stop()).toBe(0);
    expect(await pids()).toEqual(pidsOf(stage.product, second));

    const killed = await startProduct({ database: stage.database, providerUrl: stage.providerUrl });
    await api.until('three are there again', async () => (await pids()).length === 3);
    await killed.kill();
    await silence(16, killed);
    expect(await pids()).toEqual(pidsOf(stage.product, second));
    await silence(60, killed);
    await api.until(
      'it is forgotten',
      async () => (await stage.database.sql('SELECT FROM ai_workers')).length === 2,
    );
  });

  it('are missed where none is alive, and by what waits', async () => {
    const lone = await setStage();
    const tenant = await lone.tenant();
    await tenant.until(
      'it is there',
      async () => (await tenant.get('/ai-jobs/worker_health')).workers_alive === 1,
    );
    const missed = await tenant.until('it is missed', async () => {
      await lone.database.sql(`UPDATE ai_workers SET heartbeat_at = now() - interval '16 seconds'`);
      const found = await tenant.get('/ai-jobs/worker_health');
      return found.status === 'no_workers' && found;
    });
    expect(missed).toMatchObject({ workers_alive: 0, workers: [] });
    await tenant.until(
      'it beats again',
      async () => (await tenant.get('/ai-jobs/worker_health')).status === 'ok',
    );
    await lone.database.sql(
      `INSERT INTO ai_jobs (tenant_id, id, job_type, lane, max_retries, origin, principal_id, run_after, handed_until)
       VALUES ($1, gen_random_uuid(), 'nobody_knows', 1, 0, 'user', 'ann', now() - interval '61 seconds', now() + interval '1 hour')`,
      [tenant.tenantId],
    );
    const delayed = await tenant.get('/ai-jobs/worker_health');
    expect(delayed).toMatchObject({
      status: 'delayed',
      pending: 1,
      lanes: [{ lane: 'backfill', pending: 1 }],
    });
    expect(delayed.oldest_waiting_seconds).toBeGreaterThan(60);
    await lone.close();
  });

  it('are in the metrics of every process, with what all tenants have to do', async () => {
    stage.simulator.script([{ action: { type: 'hold' } }]);
    const { jobId } = await leads.add('Grace');
    await stage.simulator.waitForRequests(1);
    const open = 'fieldsmith_jobs_open';
    const seen = await api.until('the figures are fresh', async () => {
      const metrics = await scrape(second.url);
      return sum(metrics, open, { lane: 'interactive', status: 'processing' }) === 1 && metrics;
    });
    expect(sum(seen, 'fieldsmith_workers')).toBe(2);
    expect(sum(seen, 'fieldsmith_worker_slots')).toBe(40);
    expect(sum(seen, 'fieldsmith_holds', { state: 'in_flight' })).toBe(1);
    expect(sum(seen, 'fieldsmith_database_up')).toBe(1);
    expect(sum(seen, 'fieldsmith_oldest_waiting_job_seconds')).toBe(0);
    const ages = seen.filter(({ name }) => name === 'fieldsmith_maintenance_age_seconds');
    expect(ages.map(({ labels }) => labels['job']).toSorted()).toEqual(MAINTENANCE_JOBS);
    stage.simulator.release();
    await api.job(jobId);
    await runJob(stage.database, 'sweep_leases');
  });

  it('ask the database for the metrics every few seconds, however often they are scraped', async () => {
    const before = await scrape(second.url);
    await stage.database.sql(
      `INSERT INTO ai_jobs (tenant_id, id, job_type, lane, max_retries, origin, principal_id, run_after)
       SELECT $1, gen_random_uuid(), 'nobody_knows', 1, 0, 'user', 'ann', now() + interval '1 hour' FROM generate_series(1, 7)`,
      [api.tenantId],
    );
    const waiting = (metrics: typeof before) =>
      sum(metrics, 'fieldsmith_jobs_open', { lane: 'backfill', status: 'pending' });
    const more = waiting(before) + 7;
    await api.until('it is seen', async () => waiting(await scrape(second.url)) === more);
    // Seen at most a moment after the database was asked: what changes now is not seen for some seconds.
    await stage.database.sql(`DELETE FROM ai_jobs WHERE job_type = 'nobody_knows'`);
    const burst = await Promise.all(Array.from({ length: 20 }, () => scrape(second.url)));
    expect(burst.map(waiting)).toEqual(burst.map(() => more));
    await api.until('that is seen too', async () => waiting(await scrape(second.url)) === more - 7);
  });
});
