import { Api } from '../support/api.js';
import type { TestDatabase } from '../support/database.js';
import type { Hint } from './hand-written-job.js';
import { addLeads, addRecords, newNotes, SUMMARY } from './leads.js';

/** Ids of tenants: many with few records each, and one with as many as those together. */
export interface Tenants {
  many: string[];
  one: string[];
}

/** Far above anything that is spent: budgets are checked, and never in the way. */
const LIMIT_CENTS = 100_000;

/** Registers tenants with limits in every scope, a pipeline with one AI field, and records. */
export async function addTenants(
  database: TestDatabase,
  productUrl: string,
  many: number,
  records: number,
): Promise<Tenants> {
  const tenants: Tenants = { many: [], one: [await addTenant(database, productUrl, records)] };
  for (let i = 0; i < many; i++)
    tenants.many.push(await addTenant(database, productUrl, Math.ceil(records / many)));
  return tenants;
}

async function addTenant(database: TestDatabase, productUrl: string, records: number): Promise<string> {
  const api = await Api.register(productUrl);
  const pipelineId = await addLeads(api);
  const scopes = ['tenant/self', `field/${pipelineId}:${SUMMARY}`, `user/${api.userId}`];
  for (const scope of scopes) await api.ok('PUT', `/budgets/${scope}`, { limit_cents: LIMIT_CENTS });
  await addRecords(database, api.tenantId, pipelineId, records);
  return api.tenantId;
}

/**
 * Edits every record of the tenants and puts a job in for each, as an edit would; the tenants' jobs take turns.
 *
 * @param mark another one each time, so that no prompt is like one before.
 */
export async function jobsToDo(database: TestDatabase, tenants: string[], mark: number): Promise<Hint[]> {
  const notes = newNotes(`round ${mark}`);
  await database.sql(
    `UPDATE records SET data = jsonb_set(data, '{notes}', to_jsonb($2::text)) WHERE tenant_id = ANY ($1)`,
    [tenants, notes],
  );
  // Neither side shall pay for what was left by the other, or by the filling.
  await database.sql('VACUUM ANALYZE');
  await database.sql('CHECKPOINT');
  return database.sql<Hint>(
    `INSERT INTO ai_jobs (tenant_id, id, job_type, pipeline_id, record_id, field, subject, lane, max_retries, origin, principal_id, run_after)
     SELECT r.tenant_id, gen_random_uuid(), 'field_generation', r.pipeline_id, r.id, $2, r.id || ':' || $2, 0, 3, 'user', u.id, now()
       FROM (SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS turn FROM records WHERE tenant_id = ANY ($1)) r
       JOIN users u ON u.tenant_id = r.tenant_id ORDER BY r.turn, r.tenant_id
     RETURNING tenant_id AS "tenantId", id AS "jobId"`,
    [tenants, SUMMARY],
  );
}

/** Whether no job is left to do. Asked often, so that it must cost next to nothing while there are many. */
export async function areDone(database: TestDatabase): Promise<boolean> {
  const [waiting] = await database.sql<{ due: Date | null }>('SELECT ai_next_due() AS due');
  if (waiting!.due) return false;
  const [left] = await database.sql<{ jobs: number }>(
    `SELECT count(*)::int AS jobs FROM ai_jobs WHERE status IN ('pending', 'processing')`,
  );
  return left!.jobs === 0;
}

/** The pace between the tenth and the ninetieth hundredth. @throws unless every job has generated a value. */
export async function completedPerSecond(database: TestDatabase, jobs: Hint[]): Promise<number> {
  const [found] = await database.sql<{ generated: number; seconds: number }>(
    `SELECT count(*)::int AS generated, extract(epoch FROM percentile_disc(0.9) WITHIN GROUP (ORDER BY completed_at)
         - percentile_disc(0.1) WITHIN GROUP (ORDER BY completed_at))::float8 AS seconds
       FROM ai_jobs WHERE id = ANY ($1) AND status = 'completed' AND outcome = 'generated'`,
    [jobs.map(({ jobId }) => jobId)],
  );
  if (found?.generated !== jobs.length)
    throw new Error(`Of ${jobs.length} jobs ${found?.generated} generated a value.`);
  return (0.8 * jobs.length) / found.seconds;
}
