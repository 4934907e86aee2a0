import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { runJob, scheduleHasBegun } from '../support/maintenance.js';
import { setStage, type Stage } from '../support/stage.js';

describe('retry_failed_jobs', () => {
  let stage: Stage;
  let api: Api;
  let leads: Leads;

  beforeAll(async () => {
    stage = await setStage({ AI_MAX_RETRIES: '0' });
    api = await stage.tenant();
    leads = await Leads.of(api, { cache_duration: 0 });
    await scheduleHasBegun(stage.database, api);
  });

  afterAll(() => stage.close());

  beforeEach(() => stage.simulator.clearScript());

  /** A job that failed with what the provider did. */
  async function failed(name: string, status: number) {
    stage.simulator.script([{ action: { type: 'error', status } }]);
    const lead = await leads.add(name);
    expect((await api.job(lead.jobId)).status).toBe('failed');
    stage.simulator.clearScript();
    return lead;
  }

  it('tries those anew that failed for what passes, behind everybody who waits', async () => {
    const down = await failed('Ada', 503);
    const refused = await failed('Grace', 401);
    expect(await runJob(stage.database, 'retry_failed_jobs')).toMatchObject({
      outcome: 'completed',
      retried: 1,
    });
    expect(await api.job(down.jobId)).toMatchObject({
      status: 'completed',
      outcome: 'generated',
      lane: 'backfill',
      cause: { origin: 'retry' },
    });
    expect((await leads.valueOf(down.recordId)).state).toBe('ready');
    expect(await api.get(`/ai-jobs/${refused.jobId}`)).toMatchObject({ status: 'failed' });
    expect(await runJob(stage.database, 'retry_failed_jobs')).toMatchObject({ retried: 0 });
  });

  it('tries each three times and no more', async () => {
    const { jobId } = await failed('Mary', 500);
    stage.simulator.script([{ action: { type: 'error', status: 500 } }]);
    const retried: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      retried.push((await runJob(stage.database, 'retry_failed_jobs'))['retried']);
      await api.job(jobId);
    }
    expect(retried).toEqual([1, 1, 1, 0]);
  });

  it('leaves alone what is older than a day, and what something newer took the place of', async () => {
    const old = await failed('Hedy', 500);
    const day = `UPDATE ai_jobs SET created_at = created_at - interval '25 hours' WHERE id = $1`;
    await stage.database.sql(day, [old.jobId]);
    const overtaken = await failed('Edith', 500);
    await api.patch(`/records/${overtaken.recordId}`, { data: { name: 'Edith Clarke' } });
    await api.settled(overtaken.recordId);
    expect(await runJob(stage.database, 'retry_failed_jobs')).toMatchObject({ retried: 0 });
  });

  it('takes a hundred of one tenant at a time', async () => {
    const other = await stage.tenant();
    await stage.database.sql(
      `INSERT INTO ai_jobs (tenant_id, id, job_type, status, error_code, lane, max_retries, origin, principal_id, run_after, completed_at)
       SELECT $1, gen_random_uuid(), 'nobody_knows', 'failed', 'provider_server', 0, 0, 'user', 'ann', now(), now()
         FROM generate_series(1, 150)`,
      [other.tenantId],
    );
    expect(await runJob(stage.database, 'retry_failed_jobs')).toMatchObject({ retried: 100 });
  });
});
