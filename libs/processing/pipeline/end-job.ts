import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, loggableError, type Json } from '#libs/common';
import { keyId } from '#libs/llm';
import type { ClaimedJob } from '../jobs/job.js';
import { JobStore, NO_CALLS, type JobEnd, type RecordedCalls } from '../jobs/job-store.js';
import { jobLine } from '../telemetry/job-line.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { INPUTS_WITHDRAWN, JobCancelled, JobDiscarded, JobSkipped, type StoredResult } from './ai-process.js';
import type { AttemptCalls } from './answer-job.js';
import { AttemptTransactions } from './attempt-transactions.js';
import { recordOf, totalsOf, type BegunJob, type CollectedJob } from './begun-job.js';
import { databaseCode } from './database-code.js';
import { KeyPauses } from './key-pauses.js';
import { decideRetry, StoreFailed } from './retry-policy.js';

/** The database says that the attempt belongs to another worker now. */
const FENCED_OFF = 'FS001';
/** The database says that the job was stopped while its call was in flight. */
const STOPPED = 'FS004';
/** The database says that what the value was made from may not be used any more. */
const WITHDRAWN = 'FS005';

/** Ends attempts that did not store their value. Whatever happened, the calls that were made are recorded with it. */
@Injectable()
export class JobEnder {
  private readonly logger = new Logger(JobEnder.name);

  constructor(
    private readonly transactions: AttemptTransactions,
    private readonly store: JobStore,
    private readonly pauses: KeyPauses,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
  ) {}

  /** There is no value: the call failed, or its answer could not be read. */
  async endFailed(begun: BegunJob, error: unknown, calls: AttemptCalls): Promise<void> {
    await this.end(begun, error, calls, recordOf(calls, undefined, error));
  }

  /** The value is there and could not be stored: what was paid is recorded all the same. */
  async endUnstored(begun: BegunJob, error: unknown, value: Json, calls: AttemptCalls): Promise<void> {
    const recorded = recordOf(calls, { value, stored: false });
    const known = isOurs(error) ? error : new StoreFailed(error);
    await this.end(begun, known, calls, recorded);
  }

  /** There was no call: nothing to ask, or something stood against it. */
  async endUnbegun(collected: CollectedJob, error: unknown): Promise<void> {
    await this.end(collected, error, { tokens: 0, costNano: 0n }, NO_CALLS);
  }

  /**
   * How the attempt of a job that met this error ends.
   *
   * @param key the id of the key that it called with, or would have.
   */
  endOf(job: ClaimedJob, error: unknown, key?: string): JobEnd {
    const described = describe(error);
    if (error instanceof JobCancelled) return { status: 'cancelled', ...described };
    if (error instanceof JobSkipped) return { status: 'completed', outcome: 'unchanged', ...described };
    if (error instanceof JobDiscarded) return { status: 'completed', outcome: 'discarded', ...described };
    if (!(error instanceof FieldsmithError)) {
      this.logger.error(jobLine(job, 'job met an unforeseen error', { err: loggableError(error) }));
    }
    const { retryCount, maxRetries } = job;
    const random = Math.random();
    const { retryBaseMs: baseMs } = this.options;
    const decision = decideRetry(error, { retryCount, maxRetries, baseMs, random, key });
    if (decision.kind === 'fail') return { status: 'failed', ...described };
    const { delayMs } = decision;
    if (decision.kind === 'wait') {
      const line = 'stepMs' in decision ? { waitKey: decision.key, stepMs: decision.stepMs } : {};
      return { status: 'pending', waitReason: decision.reason, delayMs, ...line, ...described };
    }
    return { status: 'pending', waitReason: 'retry', delayMs, retry: true, ...described };
  }

  /** Ends an attempt that failed: waits, retries, stores the fallback, or fails for good. */
  private async fail(
    em: EntityManager,
    { job, process, collected, prepared }: CollectedJob & Partial<BegunJob>,
    error: unknown,
    recorded: RecordedCalls,
    totals: Partial<JobEnd> = {},
  ): Promise<void> {
    const key = prepared && keyId(prepared.provider.name, prepared.key.ref.owner);
    const end = { ...this.endOf(job, error, key), ...totals };
    const failed = end.status === 'failed' && collected !== undefined;
    const fallback = failed ? process.fallback?.(job, collected) : undefined;
    if (fallback === undefined) {
      if (end.outcome === 'discarded') await process.discarded?.(em, job, collected, end.errorCode ?? '');
      await this.store.finish(em, job, end, recorded, { last: true });
      return;
    }
    const result: StoredResult = { value: fallback, outcome: 'fallback', sources: [] };
    const output = await process.store(em, job, collected, result);
    const stored = { ...end, status: 'completed', outcome: 'fallback', output } as const;
    await this.store.finish(em, job, stored, recorded, { last: true });
  }

  /** One transaction; where that finds the ground gone under it, another that says so. */
  private async end(
    begun: CollectedJob & Partial<BegunJob>,
    error: unknown,
    calls: AttemptCalls,
    recorded: RecordedCalls,
  ): Promise<void> {
    const { job, prepared } = begun;
    const code = databaseCode(error);
    if (code === FENCED_OFF) return this.recordOnly(job, recorded);
    const cause = causeOf(error);
    try {
      await this.transactions.fenced(job, async (em) => {
        if (prepared) await this.pauses.note(em, job.tenantId, prepared, cause);
        await this.fail(em, begun, cause, recorded, prepared && totalsOf(prepared, calls));
      });
    } catch (failure) {
      // A fallback meets the same obstacles as any value; each of these ends the job without storing anything.
      if (!isOurs(failure) || failure === error) throw failure;
      await this.end(begun, failure, calls, recorded);
    }
  }

  private async recordOnly(job: ClaimedJob, recorded: RecordedCalls): Promise<void> {
    const { attempt } = job;
    this.logger.warn(
      jobLine(job, 'job was taken over; the calls of this attempt are accounted for', { attempt }),
    );
    if (recorded === NO_CALLS) return;
    await this.transactions.repeated(job.tenantId, (em) =>
      this.store.recordCalls(em, job.tenantId, recorded),
    );
  }
}

/** Whether an error tells how the job ends, rather than that ending it failed. */
function isOurs(error: unknown): boolean {
  const code = databaseCode(error);
  return error instanceof FieldsmithError || code === FENCED_OFF || code === STOPPED || code === WITHDRAWN;
}

/** What the database says, as the job's own end. */
function causeOf(error: unknown): unknown {
  switch (databaseCode(error)) {
    case STOPPED:
      return new JobCancelled('cancelled', 'Stopped on request.');
    case WITHDRAWN:
      return new JobDiscarded(
        INPUTS_WITHDRAWN,
        'A field that the value was made from may not be used any more.',
      );
    default:
      return error;
  }
}

function describe(error: unknown): { errorCode: string; errorMessage: string } {
  if (error instanceof FieldsmithError) return { errorCode: error.code, errorMessage: error.message };
  const errorMessage = 'The job failed in an unforeseen way; the log has the details.';
  return { errorCode: 'internal_error', errorMessage };
}
