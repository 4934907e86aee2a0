import { Injectable } from '@nestjs/common';
import { TenantTransactions } from '#libs/tenants';
import { JobStore } from '../jobs/job-store.js';
import { PASSING_ERRORS } from '../pipeline/retry-policy.js';
import { EachTenant } from './each-tenant.js';
import { MINUTE_MS, type KeepOn, type MaintenanceJob, type MaintenanceResult } from './maintenance-job.js';

/** Jobs are tried anew within so many hours of being made, and so many times beyond their own retries. */
const HOURS = 24;
const MAX_AUTO_RETRIES = 3;
/** Of one tenant and of all in one run: what comes back after an outage must not be a wave. */
const TENANT_LIMIT = 100;
const LIMIT = 2_000;

/**
 * Only the newest of a subject, and only where nothing newer took its place. In the backfill lane, because nobody waits
 * for them any more.
 */
const RETRY = `
  WITH failed AS MATERIALIZED (
    SELECT j.id FROM ai_jobs j
     WHERE j.tenant_id = $1 AND j.status = 'failed' AND j.completed_at > clock_timestamp() - make_interval(hours => $2)
       AND j.created_at > clock_timestamp() - make_interval(hours => $2)
       AND j.error_code = ANY ($3) AND j.auto_retries < $4
       AND (j.subject IS NULL OR NOT EXISTS (SELECT FROM ai_jobs n
             WHERE n.tenant_id = $1 AND n.subject = j.subject AND n.id <> j.id
               AND (n.completed_at IS NULL OR n.completed_at > j.completed_at)))
     ORDER BY j.completed_at LIMIT $5 FOR UPDATE SKIP LOCKED
  ), retried AS (
    UPDATE ai_jobs j SET status = 'pending', outcome = NULL, error_code = NULL, error_message = NULL, wait_reason = NULL,
       run_after = clock_timestamp(), retry_count = 0, cancel_requested = false, handed_until = NULL, completed_at = NULL,
       origin = 'retry', lane = 1, auto_retries = auto_retries + 1
      FROM failed WHERE j.tenant_id = $1 AND j.id = failed.id
    RETURNING j.id, j.pipeline_id, j.record_id, j.field
  ), told AS (
    INSERT INTO ai_events (tenant_id, type, payload) SELECT $1, 'ai_job.changed', jsonb_build_object('job_id', id,
      'pipeline_id', pipeline_id, 'record_id', record_id, 'field', field, 'status', 'pending') FROM retried
  )
  SELECT count(*)::int AS retried FROM retried`;

/** Tries jobs anew that failed for a reason that passes: a provider that was down, a worker that died. */
@Injectable()
export class RetryFailedJobs implements MaintenanceJob {
  readonly name = 'retry_failed_jobs';
  readonly everyMs = 10 * MINUTE_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    private readonly eachTenant: EachTenant,
    private readonly tenants: TenantTransactions,
    private readonly store: JobStore,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    let retried = 0;
    for await (const tenantId of this.eachTenant.ids(keepOn)) {
      if (retried >= LIMIT) break;
      retried += await this.retry(tenantId, Math.min(TENANT_LIMIT, LIMIT - retried));
    }
    return { retried };
  }

  private retry(tenantId: string, limit: number): Promise<number> {
    return this.tenants.transaction(tenantId, async (em) => {
      const values = [tenantId, HOURS, PASSING_ERRORS, MAX_AUTO_RETRIES, limit];
      const [row] = await em.query<{ retried: number }[]>(RETRY, values);
      if (row!.retried > 0) this.store.announce(em, tenantId);
      return row!.retried;
    });
  }
}
