import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, type Json } from '#libs/common';
import { recordFreeResult, type FreeResult } from '#libs/accounting';
import { LlmError, ProviderKeys } from '#libs/llm';
import { TenantTransactions } from '#libs/tenants';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore, NO_CALLS, type JobEnd, type RecordedCalls } from '../jobs/job-store.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { JobCancelled, JobDiscarded, JobSkipped, type AiProcess, type StoredResult } from './ai-process.js';
import { JobAnswerer, type AttemptCalls } from './answer-job.js';
import { databaseCode } from './database-code.js';
import { executionRow } from './execution.js';
import { CallPreparer, type PreparedCall } from './prepare-call.js';
import { ProcessRegistry } from './process-registry.js';
import { ResultCache } from './result-cache.js';
import { decideRetry, KeyPaused, pauseOf, StoreFailed } from './retry-policy.js';

/** A claimed job with what its process collected. */
interface Begun {
  job: ClaimedJob;
  process: AiProcess;
  collected: unknown;
  prepared: PreparedCall;
  /** An answer that an earlier attempt paid for. */
  saved?: { id: string; answer: string; model: string };
}

/** The database says that the attempt belongs to another worker now. */
const FENCED_OFF = 'FS001';
/** The database says that the job was stopped while its call was in flight. */
const STOPPED = 'FS004';

/**
 * Runs one job through the five steps: collect and prompt in the transaction that claims it, the call with no
 * transaction open, parse, and store in the transaction that completes it.
 */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger(JobRunner.name);

  // The collaborators are the steps themselves.
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly store: JobStore,
    private readonly processes: ProcessRegistry,
    private readonly preparer: CallPreparer,
    private readonly answerer: JobAnswerer,
    private readonly cache: ResultCache,
    private readonly keys: ProviderKeys,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
  ) {}

  /**
   * Works on the job of a hint, if there is anything to do.
   *
   * @param onClaim called once the job is this worker's; returns a signal that ends the call in flight.
   */
  async run(hint: JobHint, workerId: string, onClaim: (job: ClaimedJob) => AbortSignal): Promise<void> {
    const begun = await this.begin(hint, workerId);
    if (begun) await this.complete(begun, onClaim(begun.job));
  }

  private async begin(hint: JobHint, workerId: string): Promise<Begun | undefined> {
    let claimed: ClaimedJob | undefined;
    try {
      return await this.tenants.transaction(hint.tenantId, async (em) => {
        claimed = await this.store.claim(em, hint.tenantId, hint.jobId, workerId);
        return claimed && (await this.collect(em, claimed));
      });
    } catch (error) {
      if (!claimed) throw error;
      await this.endUnbegun(hint, workerId, error);
      return undefined;
    }
  }

  /** Claims again after the claiming transaction failed, only to say how the job ends. */
  private async endUnbegun(hint: JobHint, workerId: string, error: unknown): Promise<void> {
    await this.tenants.transaction(hint.tenantId, async (em) => {
      const job = await this.store.claim(em, hint.tenantId, hint.jobId, workerId);
      if (job) await this.store.finish(em, job, this.endOf(job, error));
    });
  }

  private async collect(em: EntityManager, job: ClaimedJob): Promise<Begun | undefined> {
    const process = this.processes.get(job.jobType);
    let collected: unknown;
    try {
      collected = await process.collect(em, job);
      const prepared = await this.preparer.prepare(em, job.tenantId, process.prompt(job, collected));
      const begun: Begun = { job, process, collected, prepared };
      if (await this.endWithoutCall(em, begun)) return undefined;
      return begun;
    } catch (error) {
      if (!(error instanceof FieldsmithError)) throw error;
      await this.fail(em, { job, process, collected }, error, NO_CALLS);
      return undefined;
    }
  }

  /** Ends the job here where nothing needs to be asked: the value is current, or an equal request was answered before. */
  private async endWithoutCall(em: EntityManager, begun: Begun): Promise<boolean> {
    const { job, process, collected, prepared } = begun;
    const { prompted, fingerprint, key } = prepared;
    if (!job.force && prompted.currentFingerprint === fingerprint) {
      await process.unchanged?.(em, job, collected);
      await recordFreeResult(em, job.tenantId, this.free(begun, 'unchanged'));
      await this.store.finish(em, job, {
        status: 'completed',
        outcome: 'unchanged',
        ...this.modelOf(prepared),
      });
      return true;
    }
    if (job.attempt > 1) begun.saved = await this.cache.answerOf(em, job.tenantId, job.id, fingerprint);
    if (begun.saved) return false;
    if (!job.force && prompted.cacheSeconds > 0) {
      const cached = await this.cache.find(em, job.tenantId, fingerprint, prompted.cacheSeconds);
      if (cached) {
        const result: StoredResult = { ...cached, outcome: 'cached', fingerprint, costNano: 0n };
        const output = await process.store(em, job, collected, result);
        await recordFreeResult(em, job.tenantId, this.free(begun, 'cached'));
        await this.store.finish(em, job, {
          status: 'completed',
          outcome: 'cached',
          output,
          ...this.modelOf(prepared),
        });
        return true;
      }
    }
    if (key.pausedUntil)
      throw new KeyPaused(Math.max(0, key.pausedUntil.getTime() - Date.now()), prepared.provider.name);
    return false;
  }

  private async complete(begun: Begun, signal: AbortSignal): Promise<void> {
    const calls: AttemptCalls = { tokens: 0, costNano: 0n };
    let result: StoredResult;
    try {
      result = await this.resultOf(begun, calls, signal);
    } catch (error) {
      await this.endFailed(begun, error, calls);
      return;
    }
    try {
      await this.storeResult(begun, result, calls);
    } catch (error) {
      await this.endUnstored(begun, error, result, calls);
    }
  }

  private async resultOf(begun: Begun, calls: AttemptCalls, signal: AbortSignal): Promise<StoredResult> {
    const { job, prepared, saved } = begun;
    const { fingerprint, prompted } = prepared;
    const common = { outcome: 'generated', fingerprint, sources: prompted.sources } as const;
    if (saved) {
      const value = prepared.parser.parse(saved.answer, prompted.parserOptions);
      return { ...common, value, executionId: saved.id, model: saved.model };
    }
    const { value, made } = await this.answerer.answer(job, prepared, calls, signal);
    return {
      ...common,
      value,
      executionId: made.executionId,
      model: prompted.model,
      costNano: calls.costNano,
    };
  }

  private async storeResult(begun: Begun, result: StoredResult, calls: AttemptCalls): Promise<void> {
    const { job, process, collected, prepared } = begun;
    await this.tenants.transaction(job.tenantId, async (em) => {
      const output = await process.store(em, job, collected, result);
      await this.keepInCache(em, begun, result);
      if (begun.saved) await recordFreeResult(em, job.tenantId, this.free(begun, 'reused'));
      const end: JobEnd = {
        status: 'completed',
        outcome: 'generated',
        output,
        ...this.totals(prepared, calls),
      };
      await this.store.finish(em, job, end, recordOf(calls, { value: result.value, stored: true }));
    });
  }

  private async keepInCache(em: EntityManager, begun: Begun, result: StoredResult): Promise<void> {
    const { prompted, fingerprint } = begun.prepared;
    if (prompted.cacheSeconds <= 0 || !result.executionId) return;
    const { value, executionId, sources } = result;
    await this.cache.keep(em, begun.job.tenantId, fingerprint, {
      value,
      executionId,
      sources,
      model: prompted.model,
    });
  }

  /** The value is there and could not be stored: what was paid is recorded all the same. */
  private async endUnstored(
    begun: Begun,
    error: unknown,
    result: StoredResult,
    calls: AttemptCalls,
  ): Promise<void> {
    const recorded = recordOf(calls, { value: result.value, stored: false });
    const code = databaseCode(error);
    if (code === FENCED_OFF) return this.recordOnly(begun.job, recorded);
    if (error instanceof JobDiscarded) return this.discard(begun, error, calls, recorded);
    const cause = code === STOPPED ? new JobCancelled('cancelled', 'Stopped on request.') : error;
    await this.end(begun, cause instanceof FieldsmithError ? cause : new StoreFailed(cause), calls, recorded);
  }

  private async discard(
    begun: Begun,
    error: JobDiscarded,
    calls: AttemptCalls,
    recorded: RecordedCalls,
  ): Promise<void> {
    const { job, process, collected, prepared } = begun;
    await this.tenants.transaction(job.tenantId, async (em) => {
      await process.discarded?.(em, job, collected, error.code);
      const end: JobEnd = {
        status: 'completed',
        outcome: 'discarded',
        errorCode: error.code,
        errorMessage: error.message,
        ...this.totals(prepared, calls),
      };
      await this.store.finish(em, job, end, recorded);
    });
  }

  private async endFailed(begun: Begun, error: unknown, calls: AttemptCalls): Promise<void> {
    await this.end(begun, error, calls, recordOf(calls, undefined, error));
  }

  private async end(
    begun: Begun,
    error: unknown,
    calls: AttemptCalls,
    recorded: RecordedCalls,
  ): Promise<void> {
    const { job, prepared } = begun;
    try {
      await this.tenants.transaction(job.tenantId, async (em) => {
        if (error instanceof LlmError && error.kind === 'rate_limit') {
          await this.keys.pause(
            em,
            job.tenantId,
            prepared.provider.name,
            prepared.key.source,
            pauseOf(error),
          );
        }
        await this.fail(em, begun, error, recorded, this.totals(prepared, calls));
      });
    } catch (failure) {
      if (databaseCode(failure) !== FENCED_OFF) throw failure;
      await this.recordOnly(job, recorded);
    }
  }

  /** Ends an attempt that failed: waits, retries, stores the fallback, or fails for good. */
  private async fail(
    em: EntityManager,
    { job, process, collected }: Pick<Begun, 'job' | 'process' | 'collected'>,
    error: unknown,
    recorded: RecordedCalls,
    totals: Partial<JobEnd> = {},
  ): Promise<void> {
    const end = { ...this.endOf(job, error), ...totals };
    const fallback =
      end.status === 'failed' && collected !== undefined ? process.fallback?.(job, collected) : undefined;
    if (fallback === undefined) {
      await this.store.finish(em, job, end, recorded);
      return;
    }
    const output = await process.store(em, job, collected, {
      value: fallback,
      outcome: 'fallback',
      sources: [],
    });
    await this.store.finish(em, job, { ...end, status: 'completed', outcome: 'fallback', output }, recorded);
  }

  private endOf(job: ClaimedJob, error: unknown): JobEnd {
    const described = describe(error);
    if (error instanceof JobCancelled) return { status: 'cancelled', ...described };
    if (error instanceof JobSkipped) return { status: 'completed', outcome: 'unchanged', ...described };
    const { retryCount, maxRetries } = job;
    const decision = decideRetry(error, {
      retryCount,
      maxRetries,
      baseMs: this.options.retryBaseMs,
      random: Math.random(),
    });
    if (!(error instanceof FieldsmithError))
      this.logger.error({ jobId: job.id, tenantId: job.tenantId, err: error });
    switch (decision.kind) {
      case 'fail':
        return { status: 'failed', ...described };
      case 'wait':
        return { status: 'pending', waitReason: decision.reason, delayMs: decision.delayMs, ...described };
      case 'retry':
        return {
          status: 'pending',
          waitReason: 'retry',
          delayMs: decision.delayMs,
          retry: true,
          ...described,
        };
    }
  }

  private async recordOnly(job: ClaimedJob, recorded: RecordedCalls): Promise<void> {
    this.logger.warn(
      `Job ${job.id} was taken over during attempt ${job.attempt}; its calls are accounted for.`,
    );
    await this.tenants.transaction(job.tenantId, (em) => this.store.recordCalls(em, job.tenantId, recorded));
  }

  private free({ job, prepared }: Begun, outcome: FreeResult['outcome']): FreeResult {
    const { id: jobId, attempt, principalId, pipelineId, recordId, field, jobType: operation } = job;
    const subject = { principalId, pipelineId, recordId, field, operation, ...this.modelOf(prepared) };
    return { jobId, attempt, subject, outcome };
  }

  private modelOf(prepared: PreparedCall): { provider: string; model: string } {
    return { provider: prepared.provider.name, model: prepared.prompted.model };
  }

  private totals(prepared: PreparedCall, calls: AttemptCalls): Partial<JobEnd> {
    return { ...this.modelOf(prepared), tokens: calls.tokens, costNano: calls.costNano };
  }
}

function recordOf(
  calls: AttemptCalls,
  parsed?: { value: Json; stored: boolean },
  error?: unknown,
): RecordedCalls {
  const { last } = calls;
  if (!last) return NO_CALLS;
  const execution =
    last.execution.error === undefined && error !== undefined ? { ...last.execution, error } : last.execution;
  return { executions: [executionRow(execution, parsed)], settlements: [last.settlement] };
}

function describe(error: unknown): { errorCode: string; errorMessage: string } {
  if (error instanceof FieldsmithError) return { errorCode: error.code, errorMessage: error.message };
  return {
    errorCode: 'internal_error',
    errorMessage: 'The job failed in an unforeseen way; the log has the details.',
  };
}
