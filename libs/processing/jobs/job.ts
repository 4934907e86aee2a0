import type { Json } from '#libs/common';
import type { TenantSettings } from '#libs/tenants';

export type JobStatus = 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled';

/** How a completed job came to its end. */
export type JobOutcome = 'generated' | 'cached' | 'unchanged' | 'discarded' | 'fallback';

export type JobOrigin = 'user' | 'import' | 'api' | 'ai' | 'workflow' | 'retry' | 'backfill';

export type WaitReason =
  'pace' | 'busy' | 'upstream' | 'budget' | 'rate_limit' | 'key_busy' | 'breaker' | 'retry';

/** Interactive before backfill; backfill keeps a fifth. */
export const LANE = { interactive: 0, backfill: 1 } as const;
export type Lane = (typeof LANE)[keyof typeof LANE];

/** Within a lane of a tenant, whatever is queued of a higher priority is handed out first. */
export const PRIORITY = { high: 0, default: 1, low: 2 } as const;
export type Priority = keyof typeof PRIORITY;
export const PRIORITIES = Object.keys(PRIORITY) as readonly Priority[];

/** The longest chain of jobs that cause jobs. */
export const MAX_DEPTH = 32;

/** A job to be made. */
export interface NewJob {
  jobType: string;
  pipelineId?: string;
  recordId?: string;
  field?: string;
  /** What the job works on; a pending job of the same subject absorbs this one. */
  subject?: string;
  /** Subjects whose open jobs on the same record this one waits for. */
  upstream?: string[];
  lane: Lane;
  /** `default` unless given; a pending job that absorbs this one keeps the higher of both. */
  priority?: Priority;
  /** Milliseconds that edits of one subject are gathered while it is busy. */
  debounceMs?: number;
  force?: boolean;
  runId?: string;
  origin: JobOrigin;
  causedBy?: string;
  depth?: number;
  principalId: string;
  input?: Record<string, Json>;
  provider?: string;
  model?: string;
}

/** A job as a worker sees it after its claim. */
export interface ClaimedJob {
  tenantId: string;
  id: string;
  jobType: string;
  pipelineId?: string;
  recordId?: string;
  field?: string;
  subject?: string;
  lane: Lane;
  /** Who claimed it. */
  workerId: string;
  /** Which try this is, over all claims: with the id the fence against a worker that came back from the dead. */
  attempt: number;
  retryCount: number;
  maxRetries: number;
  force: boolean;
  runId?: string;
  origin: JobOrigin;
  depth: number;
  principalId: string;
  input: Record<string, Json>;
  /** The provider key that it waited for until this claim, by its id. */
  waitKey?: string;
  /** The tenant's settings at the moment of the claim. */
  settings: TenantSettings;
  /** What the claim saw of the database, as its `pg_snapshot`: what was purged since then is not kept of this attempt. */
  snapshot: string;
}

/** What is delivered: ids only. The row is the truth, so a lost, late or double hint does no harm. */
export interface JobHint {
  tenantId: string;
  jobId: string;
}

/** A row of `ai_jobs` as the claim returns it. */
export interface JobRow {
  job_type: string;
  pipeline_id: string | null;
  record_id: string | null;
  field: string | null;
  subject: string | null;
  lane: Lane;
  attempt: number;
  retry_count: number;
  max_retries: number;
  force: boolean;
  run_id: string | null;
  origin: JobOrigin;
  depth: number;
  principal_id: string;
  input: Record<string, Json> | null;
  wait_key: string | null;
  snapshot: string;
}

export function toClaimedJob(
  { tenantId, jobId }: JobHint,
  workerId: string,
  row: JobRow,
  settings: TenantSettings,
): ClaimedJob {
  return {
    tenantId,
    id: jobId,
    jobType: row.job_type,
    pipelineId: row.pipeline_id ?? undefined,
    recordId: row.record_id ?? undefined,
    field: row.field ?? undefined,
    subject: row.subject ?? undefined,
    lane: row.lane,
    workerId,
    attempt: row.attempt,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    force: row.force,
    runId: row.run_id ?? undefined,
    origin: row.origin,
    depth: row.depth,
    principalId: row.principal_id,
    input: row.input ?? {},
    waitKey: row.wait_key ?? undefined,
    settings,
    snapshot: row.snapshot,
  };
}
