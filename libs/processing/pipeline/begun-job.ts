import type { Json } from '#libs/common';
import type { FreeResult } from '#libs/accounting';
import type { ClaimedJob } from '../jobs/job.js';
import { NO_CALLS, type JobEnd, type RecordedCalls } from '../jobs/job-store.js';
import type { AiProcess } from './ai-process.js';
import type { AttemptCalls } from './answer-job.js';
import { executionRow } from './execution.js';
import type { PreparedCall } from './prepare-call.js';
import type { CachedResult } from './result-cache.js';

/** A claimed job with what its process collected. */
export interface CollectedJob {
  job: ClaimedJob;
  process: AiProcess;
  /** Undefined where collecting itself failed. */
  collected: unknown;
}

/** A job that is ready for its call. */
export interface BegunJob extends CollectedJob {
  prepared: PreparedCall;
  /** Whether the stored value was made by just this request. */
  unchanged?: boolean;
  /** An answer that an earlier attempt paid for. */
  saved?: { id: string; answer: string; model: string };
  /** What an equal request was answered with before. */
  cached?: CachedResult;
}

/** What the row of a job says about how it was made. */
export function shownOf({ provider, prompted }: PreparedCall): Partial<JobEnd> {
  const { model, config, sources } = prompted;
  return { provider: provider.name, model, config, sources };
}

/** The same with what its calls came to. */
export function totalsOf(prepared: PreparedCall, calls: AttemptCalls): Partial<JobEnd> {
  return { ...shownOf(prepared), tokens: calls.tokens, costNano: calls.costNano };
}

/** The ledger's entry for a result that needed no call. */
export function freeResult({ job, prepared }: BegunJob, outcome: FreeResult['outcome']): FreeResult {
  const { id: jobId, attempt, principalId, pipelineId, recordId, field, jobType: operation } = job;
  const { provider, prompted } = prepared;
  const model = { provider: provider.name, model: prompted.model };
  return {
    jobId,
    attempt,
    subject: { principalId, pipelineId, recordId, field, operation, ...model },
    outcome,
  };
}

/** The last call of an attempt as it is recorded, with what became of its answer. */
export function recordOf(
  calls: AttemptCalls,
  parsed?: { value: Json; stored: boolean },
  error?: unknown,
): RecordedCalls {
  const { last } = calls;
  if (!last) return NO_CALLS;
  const { execution } = last;
  const failed = execution.error === undefined && error !== undefined ? { ...execution, error } : execution;
  return { executions: [executionRow(failed, parsed)], settlements: [last.settlement], key: last.key };
}
