import type { Api } from '../support/api.js';
import { Leads } from '../support/leads.js';
import { ageJob, runJob, scheduleHasBegun } from '../support/maintenance.js';
import { edit } from '../support/pipelines.js';
import { setStage, type Stage } from '../support/stage.js';

describe('old work', () => {
  let stage: Stage;
  let short: Api;
  let long: Api;

  beforeAll(async () => {
    stage = await setStage();
    [short, long] = [await stage.tenant('Short'), await stage.tenant('Long')];
    await short.patch('/ai-settings', { content_retention_days: 2 });
    await scheduleHasBegun(stage.database, short);
    await long.patch('/ai-settings', { content_retention_days: 20 });
  });

  afterAll(() => stage.close());

  const exists = async (table: string, id: string) =>
    (await stage.database.sql(`SELECT FROM ${table} WHERE id = $1`, [id])).length > 0;

  /** A job whose value was replaced by a later one, five days old; and the later one, as old. */
  async function replaced(api: Api) {
    const leads = await Leads.of(api, { cache_duration: 0 });
    const { recordId, jobId } = await leads.add('Ada');
    await api.settled(recordId);
    await edit(api, recordId, { name: 'Grace' });
    const { items } = await api.get(`/ai-jobs?record_id=${recordId}`);
    const later = items.find(({ id }: { id: string }) => id !== jobId).id as string;
    return {
      recordId,
      leads,
      old: await ageJob(stage.database, jobId, 5),
      current: await ageJob(stage.database, later, 5),
    };
  }

  it('goes when it is older than what its tenant keeps, but for what stands behind a current value', async () => {
    const [mine, theirs] = [await replaced(short), await replaced(long)];
    const ledger = () => stage.database.sql('SELECT job_id, cost_nano FROM ai_ledger ORDER BY job_id');
    const before = await ledger();
    expect(await runJob(stage.database, 'cleanup_old_jobs')).toMatchObject({
      job: 'cleanup_old_jobs',
      outcome: 'completed',
      jobs: 1,
      executions: 0,
    });
    for (const [table, id, stays] of [
      ['ai_jobs', mine.old.id, false],
      ['ai_executions', mine.old.executionIds[0], false],
      ['ai_jobs', mine.current.id, true],
      ['ai_executions', mine.current.executionIds[0], true],
      ['ai_jobs', theirs.old.id, true],
      ['ai_executions', theirs.old.executionIds[0], true],
    ] as const)
      expect([table, id, await exists(table, id!)]).toEqual([table, id, stays]);
    expect(await ledger()).toEqual(before);
    const value = (await short.get(`/records/${mine.recordId}`)).ai.summary;
    expect(value).toMatchObject({ state: 'ready', execution_id: mine.current.executionIds[0] });
  });

  it('goes with the purges of fields that no call in flight can be older than', async () => {
    await stage.database.sql(
      `INSERT INTO ai_purged_fields SELECT $1, 'leads', field, '1', clock_timestamp() - age * interval '1 hour'
         FROM (VALUES ('old', 25), ('young', 23)) AS purged(field, age)`,
      [short.tenantId],
    );
    await runJob(stage.database, 'cleanup_old_jobs');
    expect(await stage.database.sql('SELECT field FROM ai_purged_fields')).toEqual([{ field: 'young' }]);
  });

  it('stays while its call may still be settled, or released by an admin', async () => {
    const leads = await Leads.of(short, { cache_duration: 0 });
    const { recordId, jobId } = await leads.add('Ada');
    await short.settled(recordId);
    await edit(short, recordId, { name: 'Grace' });
    const old = await ageJob(stage.database, jobId, 5);
    await stage.database.sql(`UPDATE ai_ledger SET entry = 'unconfirmed' WHERE job_id = $1`, [old.id]);
    expect(await runJob(stage.database, 'cleanup_old_jobs')).toMatchObject({ jobs: 0 });
    expect(await exists('ai_jobs', old.id)).toBe(true);
    await stage.database.sql(`UPDATE ai_ledger SET entry = 'settled' WHERE job_id = $1`, [old.id]);
    const columns = 'job_id, attempt, n, tenant_id, period, amount, dims';
    await stage.database.sql(
      `INSERT INTO ai_holds (${columns}) VALUES ($1, 1, 1, $2, date_trunc('month', now())::date, 0, '{}')`,
      [old.id, short.tenantId],
    );
    expect(await runJob(stage.database, 'cleanup_old_jobs')).toMatchObject({ jobs: 0 });
    await stage.database.sql('DELETE FROM ai_holds WHERE job_id = $1', [old.id]);
    expect(await runJob(stage.database, 'cleanup_old_jobs')).toMatchObject({ jobs: 1 });
    expect(await exists('ai_jobs', old.id)).toBe(false);
  });

  it('loses its content with the retention of its tenant, but for that behind a current value', async () => {
    const [mine, theirs] = [await replaced(short), await replaced(long)];
    const leads = await Leads.of(short, { prompt: 'For the cache: {name}' });
    const source = await leads.add('Hedy');
    await short.settled(source.recordId);
    const copy = await leads.add('Hedy');
    expect((await short.job(copy.jobId)).outcome).toBe('cached');
    await edit(short, source.recordId, { name: 'Lamarr' });
    const cached = await ageJob(stage.database, source.jobId, 5);
    const own = await ageJob(stage.database, copy.jobId, 5);
    const content = async (id: string | undefined) => {
      const [row] = await stage.database.sql<{ kept: boolean }>(
        'SELECT request IS NOT NULL AND value IS NOT NULL AS kept FROM ai_executions WHERE id = $1',
        [id],
      );
      return row?.kept;
    };
    expect(await runJob(stage.database, 'apply_retention')).toMatchObject({
      outcome: 'completed',
      contents: 2,
    });
    expect(await content(mine.old.executionIds[0])).toBe(false);
    expect(await content(mine.current.executionIds[0])).toBe(true);
    expect(await content(theirs.old.executionIds[0])).toBe(true);
    expect(await content(cached.executionIds[0])).toBe(false);
    expect(await content(own.executionIds[0])).toBe(true);
    expect(await runJob(stage.database, 'apply_retention')).toMatchObject({ contents: 0 });
  });

  it('ends cached results with the retention, events after an hour, jobs that changed nothing after a day', async () => {
    const leads = await Leads.of(short);
    const { recordId, jobId } = await leads.add('Mary');
    await short.settled(recordId);
    const { job_id: again } = await short.post(`/records/${recordId}/ai/summary/generate`);
    expect((await short.job(again)).outcome).toBe('unchanged');
    await stage.database.sql(`UPDATE ai_result_cache SET created_at = now() - interval '25 days'`);
    await stage.database.sql(`UPDATE ai_events SET created_at = now() - interval '61 minutes'`);
    await stage.database.sql(
      `UPDATE ai_jobs SET completed_at = now() - interval '25 hours' WHERE id = ANY ($1::uuid[])`,
      [[jobId, again]],
    );
    const [before] = await stage.database.sql<{ cached: number; events: number }>(
      'SELECT (SELECT count(*) FROM ai_result_cache)::int AS cached, (SELECT count(*) FROM ai_events)::int AS events',
    );
    expect(await runJob(stage.database, 'apply_retention')).toMatchObject({
      cached_results: before!.cached,
      events: before!.events,
      unchanged_jobs: 1,
    });
    expect([await exists('ai_jobs', jobId), await exists('ai_jobs', again)]).toEqual([true, false]);
  });

  it('keeps what tells that a failure was overcome', async () => {
    const leads = await Leads.of(short);
    const { recordId } = await leads.add('Rosalind');
    await short.settled(recordId);
    stage.simulator.script([{ times: 1, action: { type: 'error', status: 400 } }]);
    await edit(short, recordId, { name: 'Franklin' });
    const failed = await leads.valueOf(recordId);
    expect(failed.state).toBe('failed');
    await edit(short, recordId, { name: 'Rosalind' });
    expect((await leads.valueOf(recordId)).state).toBe('ready');
    await stage.database.sql(
      `UPDATE ai_jobs SET completed_at = completed_at - interval '25 hours' WHERE tenant_id = $1 AND record_id = $2`,
      [short.tenantId, recordId],
    );
    await runJob(stage.database, 'apply_retention');
    expect((await leads.valueOf(recordId)).state).toBe('ready');
  });

  it('goes in batches, however much there is', async () => {
    await runJob(stage.database, 'cleanup_old_jobs');
    const api = await stage.tenant('Many');
    await api.patch('/ai-settings', { content_retention_days: 1 });
    await stage.database.sql(
      `INSERT INTO ai_jobs (tenant_id, id, job_type, status, lane, max_retries, origin, principal_id, created_at, completed_at)
       SELECT $1, ('0180' || substr(md5(n::text), 1, 4) || '-0000-7000-8000-' || substr(md5(n::text), 5, 12))::uuid, 'test', 'completed', 0, 0,
              'user', 'ann', now() - interval '9 days', now() - interval '9 days' FROM generate_series(1, 1250) n`,
      [api.tenantId],
    );
    expect(await runJob(stage.database, 'cleanup_old_jobs')).toMatchObject({ jobs: 1250 });
    expect((await api.get('/ai-jobs')).items).toEqual([]);
  });
});
