import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isId, nanoToUsd, newId, NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { JobControl, PROCESSING_OPTIONS, type ProcessingOptions } from '#libs/processing';
import { TenantTransactions } from '#libs/tenants';
import { RunFiller } from './run-filler.js';
import { RunRecords } from './run-records.js';
import type { RunRequest } from './run-request.js';

export interface RunProgress {
  run_id: string;
  pipeline_id: string;
  field: string;
  /** Whether records are still being looked for: `total` grows until then. */
  queueing: boolean;
  total: number;
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** What its jobs have cost; a job that another run wants too counts in both. */
  cost_usd: number;
  /** Null while nothing can be said. */
  eta_seconds: number | null;
  stopped: boolean;
  created_at: string;
}

interface RunRow {
  pipeline_id: string;
  field: string;
  queueing: boolean;
  total: number;
  stopped_at: Date | null;
  created_at: Date;
}

interface Counts {
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  cancelled: number;
  cost: string;
}

/** Records that a caller waits for, about a second; more are queued after the answer. */
const ANSWERED_AFTER = 1000;
/** Of what the column can hold. */
const MAX_LIMIT = 2_147_483_647;

const INSERT = `
  INSERT INTO ai_runs (tenant_id, id, pipeline_id, field, scope, principal_id, filter, record_limit, priority, queueing, lease_owner, lease_until)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, $10, clock_timestamp() + make_interval(secs => $11::float8 / 1000))`;
/** Only jobs that changed nothing are cleared away, and those had completed. */
const COUNTS = `
  SELECT count(*) FILTER (WHERE j.status = 'pending')::int AS pending,
         count(*) FILTER (WHERE j.status = 'processing')::int AS processing,
         count(*) FILTER (WHERE j.status = 'completed' OR j.id IS NULL)::int AS completed,
         count(*) FILTER (WHERE j.status = 'failed')::int AS failed,
         count(*) FILTER (WHERE j.status = 'cancelled')::int AS cancelled,
         coalesce(sum(j.cost_nano), 0) + (
           SELECT coalesce(sum(e.cost_nano), 0) FROM ai_run_jobs o CROSS JOIN unnest(o.earlier) job
             JOIN ai_jobs e ON e.tenant_id = o.tenant_id AND e.id = job
            WHERE o.tenant_id = $1 AND o.run_id = $2) AS cost
    FROM ai_run_jobs m LEFT JOIN ai_jobs j ON j.tenant_id = m.tenant_id AND j.id = m.job_id
   WHERE m.tenant_id = $1 AND m.run_id = $2`;
const STOP = `
  UPDATE ai_runs SET stopped_at = coalesce(stopped_at, now()), queueing = false WHERE tenant_id = $1 AND id = $2`;
/** Locked first and looked at afterwards: whoever folds into such a job meanwhile is seen by the second statement. */
const LOCK_PENDING = `
  SELECT j.id FROM ai_run_jobs m JOIN ai_jobs j ON j.tenant_id = m.tenant_id AND j.id = m.job_id
   WHERE m.tenant_id = $1 AND m.run_id = $2 AND j.status = 'pending' ORDER BY j.id FOR UPDATE OF j`;
const WANTED_BY_NOBODY_ELSE = `
  SELECT j.id FROM ai_jobs j WHERE j.tenant_id = $1 AND j.id = ANY ($3::uuid[]) AND j.origin = 'backfill'
     AND NOT EXISTS (SELECT FROM ai_run_jobs o JOIN ai_runs r ON r.tenant_id = o.tenant_id AND r.id = o.run_id
                      WHERE o.tenant_id = $1 AND o.job_id = j.id AND o.run_id <> $2 AND r.stopped_at IS NULL)`;

/** Generating the values of one field for many records: in the backfill lane, with progress, stoppable. */
@Injectable()
export class GenerationRuns {
  constructor(
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly tenants: TenantTransactions,
    private readonly records: RunRecords,
    private readonly filler: RunFiller,
    private readonly jobs: JobControl,
  ) {}

  /**
   * Queues the generations, after the first ones without the caller. Where this process dies meanwhile, a worker goes on.
   *
   * @returns the run and how many are queued already; the progress tells whether more come (`queueing`).
   * @throws NotFoundError; FieldNotVisibleError, 403; InvalidInputError for a filter by what is no field.
   */
  async start(principal: Principal, request: RunRequest): Promise<{ run_id: string; queued: number }> {
    const { tenantId } = principal;
    const run = { tenantId, id: newId(), owner: newId() };
    await this.tenants.transaction(tenantId, async (em) => {
      await this.records.requested(em, principal, request);
      await em.query(INSERT, [
        tenantId,
        run.id,
        request.pipelineId,
        request.field,
        request.scope,
        principal.id,
        request.filter ? JSON.stringify(request.filter) : null,
        request.limit === undefined ? null : Math.min(request.limit, MAX_LIMIT),
        request.priority ?? null,
        run.owner,
        this.options.leaseMs,
      ]);
    });
    return { run_id: run.id, queued: await this.filler.fill(run, ANSWERED_AFTER) };
  }

  /** @throws NotFoundError */
  async progress(em: EntityManager, tenantId: string, runId: string): Promise<RunProgress> {
    const run = await this.row(em, tenantId, runId);
    const [counts] = await em.query<Counts[]>(COUNTS, [tenantId, runId]);
    const { cost, ...byStatus } = counts!;
    const ended = byStatus.completed + byStatus.failed + byStatus.cancelled;
    const open = byStatus.pending + byStatus.processing;
    return {
      run_id: runId,
      pipeline_id: run.pipeline_id,
      field: run.field,
      queueing: run.queueing,
      total: run.total,
      ...byStatus,
      cost_usd: nanoToUsd(BigInt(cost)),
      eta_seconds: run.queueing ? null : etaSeconds(run.created_at, ended, open),
      stopped: run.stopped_at !== null,
      created_at: run.created_at.toISOString(),
    };
  }

  /**
   * Stops queueing, and what has not started yet, save what another run, an edit or a fresh upstream value wants as well.
   *
   * @throws NotFoundError
   */
  async stop(em: EntityManager, tenantId: string, runId: string): Promise<RunProgress> {
    await this.row(em, tenantId, runId);
    await em.query(STOP, [tenantId, runId]);
    const pending = await em.query<{ id: string }[]>(LOCK_PENDING, [tenantId, runId]);
    const unwanted = await em.query<{ id: string }[]>(WANTED_BY_NOBODY_ELSE, [
      tenantId,
      runId,
      pending.map(({ id }) => id),
    ]);
    await this.jobs.cancelMany(
      em,
      tenantId,
      unwanted.map(({ id }) => id),
    );
    return this.progress(em, tenantId, runId);
  }

  private async row(em: EntityManager, tenantId: string, runId: string): Promise<RunRow> {
    const rows = isId(runId)
      ? await em.query<RunRow[]>(
          'SELECT pipeline_id, field, queueing, total, stopped_at, created_at FROM ai_runs WHERE tenant_id = $1 AND id = $2',
          [tenantId, runId],
        )
      : [];
    const [row] = rows;
    if (!row) throw new NotFoundError('run', runId);
    return row;
  }
}

/** Seconds until the rest is done at the pace so far; null while there is no pace yet. */
function etaSeconds(startedAt: Date, ended: number, open: number): number | null {
  if (open === 0) return 0;
  if (ended === 0) return null;
  return Math.ceil(((Date.now() - startedAt.getTime()) / 1000 / ended) * open);
}
