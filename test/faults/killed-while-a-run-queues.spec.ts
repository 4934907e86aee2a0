import pg from 'pg';
import type { Api, Body } from '../support/api.js';
import { logLines } from '../support/log-lines.js';
import { addPipeline, ai, plain } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

/** Makes jobs and works on none; it never reaches its Redis. */
const API_ONLY = { ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' };
const EVERYTHING = { ROLE: 'all', REDIS_URL: '' };
/** Two pages and a bit. */
const RECORDS = 1_300;
const PAGE = 500;
/** Records after which whoever asked has an answer. */
const ANSWERED_AFTER = 1_000;

describe('a process that ends while it queues a run', () => {
  let stage: Stage;
  let api: Api;
  let pipelineId: string;
  let recordIds: string[];

  beforeAll(async () => {
    stage = await setStage({ ...API_ONLY, AI_LEASE_MS: '1000' });
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    api = await stage.tenant();
    pipelineId = await addPipeline(api, [
      plain('name'),
      plain('city'),
      ai('summary', { prompt: 'Summarise {name}', auto_regenerate: false }),
    ]);
    await stage.database.sql(
      `INSERT INTO records (tenant_id, id, pipeline_id, data)
       SELECT $1, gen_random_uuid()::text, $2, jsonb_build_object('name', 'Lead ' || n, 'city', CASE WHEN n % 9 = 0 THEN 'Bonn' ELSE 'Ulm' END)
         FROM generate_series(1, $3::int) n`,
      [api.tenantId, pipelineId, RECORDS],
    );
    const rows = await stage.database.sql<{ id: string }>(
      `SELECT id FROM records WHERE tenant_id = $1 ORDER BY id`,
      [api.tenantId],
    );
    recordIds = rows.map(({ id }) => id);
    stage.simulator.clearScript();
    // Nothing that is worked on ends, so that every job of the run is still there to be counted.
    stage.simulator.script([{ action: { type: 'hold' } }]);
  });

  afterEach(async () => {
    stage.simulator.clearScript();
    stage.simulator.release();
    api.close();
    await stage.restart('kill', API_ONLY);
  });

  /** Begins a run that gets stuck at the record, ends its process there and lets nobody go on yet. */
  async function endAt(
    recordId: string,
    body: Record<string, unknown>,
    how: 'kill' | 'stop' = 'kill',
  ): Promise<Body> {
    const blocker = new pg.Client({ connectionString: stage.database.adminUrl });
    await blocker.connect();
    try {
      await blocker.query('BEGIN');
      await blocker.query(
        `INSERT INTO ai_jobs (tenant_id, id, job_type, subject, lane, max_retries, origin, principal_id)
         VALUES ($1, gen_random_uuid(), 'test', $2, 1, 0, 'user', 'nobody')`,
        [api.tenantId, `${recordId}:summary`],
      );
      const answered = api.post(`/pipelines/${pipelineId}/ai/summary/generate`, body).then(
        () => 'answered',
        () => 'cut',
      );
      const run = await api.until('the run is stuck in the middle', async () => {
        const [row] = await stage.database.sql<{ id: string }>(
          `SELECT r.id FROM ai_runs r, pg_stat_activity a
            WHERE r.tenant_id = $1 AND r.queueing
              AND a.datname = current_database() AND a.wait_event = 'transactionid' AND a.query LIKE '%ai_enqueue_jobs%'`,
          [api.tenantId],
        );
        return row && api.get(`/ai-runs/${row.id}`);
      });
      if (how === 'kill') {
        await stage.product.kill();
        expect(await answered).toBe(run.total < ANSWERED_AFTER ? 'cut' : 'answered');
      } else {
        const stopped = stage.product.stop();
        await api.until('it goes down', () => Promise.resolve(stage.product.output().includes('SIGTERM')));
        await blocker.query('ROLLBACK');
        expect(await stopped).toBe(0);
      }
      return run;
    } finally {
      await blocker.end();
    }
  }

  async function restart(env: Record<string, string>): Promise<void> {
    api.close();
    await stage.restart('kill', env);
    api = api.at(stage.product.url);
  }

  const queuedOf = (runId: string) =>
    api.until('the run is queued', async () => {
      const now = await api.get(`/ai-runs/${runId}`);
      return now.queueing ? undefined : now;
    });

  /** The records that have a job of the run, each as often as it has one. */
  async function recordsWithJobs(runId: string): Promise<string[]> {
    const rows = await stage.database.sql<{ record_id: string }>(
      `SELECT j.record_id FROM ai_jobs j WHERE j.tenant_id = $1 AND j.run_id = $2 ORDER BY 1`,
      [api.tenantId, runId],
    );
    return rows.map(({ record_id: id }) => id);
  }

  it('leaves a run that says so, and that the next worker queues to its end: each record once', async () => {
    const stuck = await endAt(recordIds[PAGE * 2 + 77]!, { scope: 'empty' });
    expect(stuck).toMatchObject({ queueing: true, total: PAGE * 2, eta_seconds: null, stopped: false });
    expect(stuck.pending).toBe(PAGE * 2);
    expect(await recordsWithJobs(stuck.run_id)).toEqual(recordIds.slice(0, PAGE * 2));

    await restart(EVERYTHING);
    const queued = await queuedOf(stuck.run_id);
    expect(queued).toMatchObject({ queueing: false, total: RECORDS, completed: 0, stopped: false });
    expect(queued.pending + queued.processing).toBe(RECORDS);
    expect(await recordsWithJobs(stuck.run_id)).toEqual(recordIds);
    const resumed = { message: 'a run was left half queued', run_id: stuck.run_id, tenant_id: api.tenantId };
    expect(logLines(stage.product.output())).toContainEqual(expect.objectContaining(resumed));
  });

  it('keeps to what the run was asked for: filter and limit', async () => {
    const inUlm = await stage.database.sql<{ id: string }>(
      `SELECT id FROM records WHERE tenant_id = $1 AND data->>'city' = 'Ulm' ORDER BY id LIMIT 1100`,
      [api.tenantId],
    );
    const wanted = inUlm.map(({ id }) => id);
    const request = { scope: 'all', filter: { city: 'Ulm' }, limit: wanted.length };
    const stuck = await endAt(wanted[PAGE + 1]!, request);
    expect(stuck.total).toBe(PAGE);
    await restart(EVERYTHING);
    expect(await queuedOf(stuck.run_id)).toMatchObject({ total: wanted.length });
    expect(await recordsWithJobs(stuck.run_id)).toEqual(wanted);
  });

  it('that is stopped finishes its page and gives the run back at once', async () => {
    const longLease = { AI_LEASE_MS: '3600000' };
    await restart({ ...API_ONLY, ...longLease });
    const stuck = await endAt(recordIds[1]!, { scope: 'all', limit: PAGE + 1 }, 'stop');
    expect(stuck.total).toBe(0);
    const [left] = await stage.database.sql('SELECT total, queueing FROM ai_runs WHERE id = $1', [
      stuck.run_id,
    ]);
    expect(left).toEqual({ total: PAGE, queueing: true });
    await restart({ ...EVERYTHING, ...longLease });
    expect(await queuedOf(stuck.run_id)).toMatchObject({ total: PAGE + 1 });
    expect(await recordsWithJobs(stuck.run_id)).toEqual(recordIds.slice(0, PAGE + 1));
  });

  it('is not resumed once somebody has stopped it, and is given up where its field has gone', async () => {
    const stopped = await endAt(recordIds[PAGE + 1]!, { scope: 'all' });
    await restart(API_ONLY);
    expect(await api.post(`/ai-runs/${stopped.run_id}/stop`)).toMatchObject({
      queueing: false,
      stopped: true,
      total: PAGE,
      cancelled: PAGE,
    });
    const gone = await endAt(recordIds[PAGE + 1]!, { scope: 'all' });
    await restart(API_ONLY);
    await api.ok('DELETE', `/pipelines/${pipelineId}/fields/summary`);
    expect(await api.get(`/ai-runs/${gone.run_id}`)).toMatchObject({ queueing: true });

    // The stopped run's lease ran out first: whoever gives the other one up has passed it.
    await restart(EVERYTHING);
    expect(await queuedOf(gone.run_id)).toMatchObject({ stopped: true, total: PAGE });
    expect(await api.get(`/ai-runs/${stopped.run_id}`)).toMatchObject({ total: PAGE, cancelled: PAGE });
    expect(await recordsWithJobs(stopped.run_id)).toHaveLength(PAGE);
  });
});
