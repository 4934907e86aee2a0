import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { budgetRefusal, type BlockedJobs, type BudgetKey, type RetriedBlocked } from '#libs/accounting';
import { JobStore } from './job-store.js';

/** As many as a bulk retry takes up at once. */
const MOST = 1_000;

/** Jobs that a budget refused: $2 and $3 are its scope and id, $4 what it tells those it refuses. */
const REFUSED = `j.tenant_id = $1 AND j.status = 'failed' AND j.error_code = 'budget_exceeded' AND j.error_message = $4`;
const IN_SCOPE = `CASE $2 WHEN 'field' THEN j.pipeline_id || ':' || j.field = $3 WHEN 'user' THEN j.principal_id = $3 ELSE true END`;
/** Something newer took its place: its value is there, or on its way. */
const REPLACED = `(j.subject IS NOT NULL AND EXISTS (SELECT FROM ai_jobs n
   WHERE n.tenant_id = $1 AND n.subject = j.subject AND n.id <> j.id
     AND (n.completed_at IS NULL OR n.completed_at > j.completed_at)))`;
const WAITING = `j.tenant_id = $1 AND j.status = 'pending' AND j.wait_reason = 'budget'`;

const COUNT = `
  SELECT (SELECT count(*) FROM ai_jobs j WHERE ${REFUSED} AND ${IN_SCOPE} AND NOT ${REPLACED})
       + (SELECT count(*) FROM ai_jobs j WHERE ${WAITING} AND ${IN_SCOPE}) AS blocked`;

/** What was refused runs anew; what only waits for other calls to end looks at once. */
const RETRY = `
  WITH blocked AS MATERIALIZED (
    SELECT j.id FROM ai_jobs j
     WHERE ((${REFUSED} AND NOT ${REPLACED}) OR (${WAITING})) AND ${IN_SCOPE}
     ORDER BY j.id LIMIT $5 FOR UPDATE SKIP LOCKED
  ), retried AS (
    UPDATE ai_jobs j SET status = 'pending', outcome = NULL, error_code = NULL, error_message = NULL, wait_reason = NULL,
       wait_key = NULL, run_after = clock_timestamp(), retry_count = CASE j.status WHEN 'failed' THEN 0 ELSE j.retry_count END,
       cancel_requested = false, handed_until = NULL,
       completed_at = NULL, origin = CASE j.status WHEN 'failed' THEN 'retry' ELSE j.origin END
      FROM blocked WHERE j.tenant_id = $1 AND j.id = blocked.id
    RETURNING j.id, j.pipeline_id, j.record_id, j.field
  ), told AS (
    INSERT INTO ai_events (tenant_id, type, payload) SELECT $1, 'ai_job.changed', jsonb_build_object('job_id', id,
      'pipeline_id', pipeline_id, 'record_id', record_id, 'field', field, 'status', 'pending') FROM retried
  )
  SELECT count(*)::int AS retried FROM retried`;

const SKIPPED = `
  SELECT j.id, 'superseded' AS reason FROM ai_jobs j WHERE ${REFUSED} AND ${IN_SCOPE} AND ${REPLACED}
   ORDER BY j.id DESC LIMIT $5`;

/** Finds the jobs that a budget has blocked by what they were told, and takes them up again once it is raised. */
@Injectable()
export class BudgetBlockedJobs implements BlockedJobs {
  constructor(private readonly store: JobStore) {}

  async count(em: EntityManager, tenantId: string, budget: BudgetKey): Promise<number> {
    const [row] = await em.query<{ blocked: string }[]>(COUNT, valuesOf(tenantId, budget));
    return Number(row!.blocked);
  }

  async retry(em: EntityManager, tenantId: string, budget: BudgetKey): Promise<RetriedBlocked> {
    const values = [...valuesOf(tenantId, budget), MOST];
    // Before the retry, which would stand in the place of what it takes up.
    const skipped = await em.query<RetriedBlocked['skipped']>(SKIPPED, values);
    const [row] = await em.query<{ retried: number }[]>(RETRY, values);
    if (row!.retried > 0) this.store.announce(em, tenantId);
    return { retried: row!.retried, skipped };
  }
}

function valuesOf(tenantId: string, { scope, scopeId }: BudgetKey): unknown[] {
  return [tenantId, scope, scopeId, budgetRefusal(scope)];
}
