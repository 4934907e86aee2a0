import { Injectable, Logger } from '@nestjs/common';
import type { ClaimedJob } from '../jobs/job.js';
import type { JobEnd, RecordedCalls } from '../jobs/job-store.js';
import { jobLine } from './job-line.js';
import { JobMetrics } from './job-metrics.js';

/** Tells the log and the metrics how attempts end, in one place: after the commit that ended them. */
@Injectable()
export class JobReporter {
  private readonly logger = new Logger('Job');
  private readonly claimedAt = new WeakMap<ClaimedJob, number>();

  constructor(private readonly metrics: JobMetrics) {}

  claimed(job: ClaimedJob): void {
    this.claimedAt.set(job, performance.now());
  }

  /** @param status what the job really got; a retry may find itself superseded by a newer job. */
  ended(job: ClaimedJob, end: JobEnd, status: string, calls: RecordedCalls): void {
    const since = this.claimedAt.get(job);
    const durationMs = since === undefined ? undefined : performance.now() - since;
    const line = jobLine(job, messageOf(end, status), {
      status,
      outcome: end.outcome,
      error_code: end.errorCode,
      job_type: job.jobType,
      pipeline_id: job.pipelineId,
      record_id: job.recordId,
      field: job.field,
      provider: end.provider,
      model: end.model,
      user_id: job.principalId,
      attempt: job.attempt,
      duration_ms: durationMs === undefined ? undefined : Math.round(durationMs),
      tokens: end.tokens,
      response_length: responseLength(calls),
    });
    if (status === 'failed') this.logger.warn(line);
    else this.logger.log(line);
    if (status === 'pending') return this.metrics.waited(job.lane, end.waitReason ?? 'retry');
    const outcome = (status === 'completed' && end.outcome) || status;
    const seconds = durationMs === undefined ? undefined : durationMs / 1000;
    // What a discarded or skipped job says of itself is no error.
    const errorCode = status === 'completed' ? undefined : end.errorCode;
    this.metrics.ended({ lane: job.lane, outcome, errorCode, seconds });
  }
}

function messageOf(end: JobEnd, status: string): string {
  if (status !== 'pending') return `job ${status}`;
  return end.retry ? 'job is tried again' : 'job waits';
}

/** Characters of the last answer. */
function responseLength({ executions }: RecordedCalls): number | undefined {
  const { answer } = (executions.at(-1) ?? {}) as { answer?: string };
  return answer?.length;
}
