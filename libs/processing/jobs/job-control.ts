import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, isId, NotFoundError } from '#libs/common';
import { JobStore } from './job-store.js';

/** Rows are locked in the order of their ids; whoever waited for a job that ends here is woken, and everyone is told. */
const CANCEL = `
  WITH open AS MATERIALIZED (
    SELECT id FROM ai_jobs WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND status IN ('pending', 'processing')
     ORDER BY id FOR UPDATE
  ), stopped AS (
    UPDATE ai_jobs j SET cancel_requested = true,
       status = CASE status WHEN 'pending' THEN 'cancelled' ELSE status END,
       error_code = CASE status WHEN 'pending' THEN $3 ELSE error_code END,
       error_message = CASE status WHEN 'pending' THEN $4 ELSE error_message END,
       completed_at = CASE status WHEN 'pending' THEN clock_timestamp() ELSE completed_at END,
       handed_until = NULL, wait_reason = NULL
      FROM open WHERE j.tenant_id = $1 AND j.id = open.id
    RETURNING j.id, j.pipeline_id, j.record_id, j.field, j.status
  ), told AS (
    INSERT INTO ai_events (tenant_id, type, payload) SELECT $1, 'ai_job.changed', jsonb_build_object('job_id', id,
      'pipeline_id', pipeline_id, 'record_id', record_id, 'field', field, 'status', status) FROM stopped
  )
  UPDATE ai_jobs w SET wait_reason = NULL, run_after = least(w.run_after, clock_timestamp())
   WHERE w.tenant_id = $1 AND w.status = 'pending' AND w.wait_reason IN ('busy', 'upstream')
     AND w.record_id IN (SELECT record_id FROM stopped WHERE status = 'cancelled')
     AND w.id NOT IN (SELECT id FROM stopped)`;

/** Why jobs that have not begun end without doing anything. */
export interface StopReason {
  errorCode: string;
  errorMessage: string;
}

const ON_REQUEST: StopReason = { errorCode: 'cancelled', errorMessage: 'Stopped on request.' };

/** What somebody wants once more is nobody's to stop but theirs, whatever the pending job was made for. */
const HAND_ON = `
  SELECT ai_hand_on_job(jsonb_populate_record(j, '{"origin": "retry"}')) AS id
    FROM ai_jobs j WHERE j.tenant_id = $1 AND j.id = $2`;

/** What people do to jobs: try again, stop, hand out at once. */
@Injectable()
export class JobControl {
  constructor(private readonly store: JobStore) {}

  /**
   * Makes a failed or cancelled job pending again; where its subject has a pending job already, that one stands for it from
   * now on.
   *
   * @returns the id of the job that will run.
   * @throws FieldsmithError `job_not_retryable` (409) for a job that did not end badly; NotFoundError.
   */
  async retry(em: EntityManager, tenantId: string, id: string): Promise<string> {
    const status = await this.lock(em, tenantId, id);
    if (status !== 'failed' && status !== 'cancelled') {
      throw new FieldsmithError(
        'job_not_retryable',
        `The job is ${status}; only failed and cancelled jobs are retried.`,
        { status: 409 },
      );
    }
    const pending = await this.handOn(em, tenantId, id);
    if (pending === undefined) await this.requeue(em, tenantId, id);
    this.store.announce(em, tenantId);
    return pending ?? id;
  }

  /**
   * Stops a job: a pending one at once; of one in flight the call ends, its value is discarded and its cost is settled.
   * A job that has ended stays as it is.
   *
   * @throws NotFoundError
   */
  async cancel(em: EntityManager, tenantId: string, id: string): Promise<void> {
    await this.lock(em, tenantId, id);
    await this.cancelMany(em, tenantId, [id]);
  }

  /** Stops those of the jobs that are open, in one statement for any number of them. */
  async cancelMany(
    em: EntityManager,
    tenantId: string,
    ids: readonly string[],
    { errorCode, errorMessage } = ON_REQUEST,
  ): Promise<void> {
    if (ids.length === 0) return;
    await em.query(CANCEL, [tenantId, ids, errorCode, errorMessage]);
    this.store.announce(em, tenantId);
  }

  /**
   * Makes pending jobs due now that wait for a moment, but for those on their way to a worker, which count in the tenant's
   * window. One whose key still rests, or whose budget is full, waits again.
   *
   * @returns how many.
   */
  async queuePending(em: EntityManager, tenantId: string): Promise<number> {
    const [, queued] = await em.query<[unknown, number]>(
      `UPDATE ai_jobs SET run_after = clock_timestamp(),
          wait_reason = CASE WHEN wait_reason = 'retry' THEN NULL ELSE wait_reason END
        WHERE tenant_id = $1 AND status = 'pending' AND handed_until IS NULL`,
      [tenantId],
    );
    this.store.announce(em, tenantId);
    return queued;
  }

  /** Makes a job that has ended pending. */
  private async requeue(em: EntityManager, tenantId: string, id: string): Promise<void> {
    await em.query(
      `UPDATE ai_jobs SET status = 'pending', outcome = NULL, error_code = NULL, error_message = NULL, wait_reason = NULL,
         wait_key = NULL, run_after = clock_timestamp(), retry_count = 0, cancel_requested = false, handed_until = NULL, completed_at = NULL,
         origin = 'retry'
       WHERE tenant_id = $1 AND id = $2`,
      [tenantId, id],
    );
  }

  /** @returns the pending job of the same subject that stands for it; undefined where there is none. */
  private async handOn(em: EntityManager, tenantId: string, id: string): Promise<string | undefined> {
    const [row] = await em.query<{ id: string | null }[]>(HAND_ON, [tenantId, id]);
    return row?.id ?? undefined;
  }

  /** @returns the status of the job. */
  private async lock(em: EntityManager, tenantId: string, id: string): Promise<string> {
    const rows = isId(id)
      ? await em.query<{ status: string }[]>(
          'SELECT status FROM ai_jobs WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
          [tenantId, id],
        )
      : [];
    const [row] = rows;
    if (!row) throw new NotFoundError('job', id);
    return row.status;
  }
}
