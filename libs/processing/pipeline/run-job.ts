import { Injectable } from '@nestjs/common';
import { recordFreeResult } from '#libs/accounting';
import { TenantTransactions } from '#libs/tenants';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore, type JobEnd, type ReusableResult } from '../jobs/job-store.js';
import type { StoredResult } from './ai-process.js';
import { JobAnswerer, type AttemptCalls } from './answer-job.js';
import { JobBeginner } from './begin-job.js';
import { freeResult, recordOf, totalsOf, type BegunJob } from './begun-job.js';
import { JobEnder } from './end-job.js';

/**
 * Runs one job through the five steps: collect and prompt in the transaction that claims it, the call with no
 * transaction open, parse, and store in the transaction that completes it.
 */
@Injectable()
export class JobRunner {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly store: JobStore,
    private readonly beginner: JobBeginner,
    private readonly answerer: JobAnswerer,
    private readonly ender: JobEnder,
  ) {}

  /**
   * Works on the job of a hint, if there is anything to do.
   *
   * @param onClaim called once the job is this worker's; returns a signal that ends the call in flight.
   */
  async run(hint: JobHint, workerId: string, onClaim: (job: ClaimedJob) => AbortSignal): Promise<void> {
    const begun = await this.beginner.begin(hint, workerId);
    if (!begun) return;
    const calls: AttemptCalls = { tokens: 0, costNano: 0n };
    let result: StoredResult;
    try {
      result = await this.resultOf(begun, calls, onClaim(begun.job));
    } catch (error) {
      await this.ender.endFailed(begun, error, calls);
      return;
    }
    try {
      await this.storeResult(begun, result, calls);
    } catch (error) {
      await this.ender.endUnstored(begun, error, result.value, calls);
    }
  }

  private async resultOf(begun: BegunJob, calls: AttemptCalls, signal: AbortSignal): Promise<StoredResult> {
    const { job, prepared, saved, cached } = begun;
    const { fingerprint, prompted } = prepared;
    const common = { outcome: 'generated', fingerprint, sources: prompted.sources } as const;
    if (cached) return { ...cached, outcome: 'cached', fingerprint, costNano: 0n };
    if (saved) {
      const value = prepared.parser.parse(saved.answer, prompted.parserOptions);
      return { ...common, value, executionId: saved.id, model: saved.model };
    }
    const { value, made } = await this.answerer.answer(job, prepared, calls, signal);
    const { executionId } = made;
    return { ...common, value, executionId, model: prompted.model, costNano: calls.costNano };
  }

  private async storeResult(begun: BegunJob, result: StoredResult, calls: AttemptCalls): Promise<void> {
    const { job, process, collected, prepared } = begun;
    await this.tenants.transaction(job.tenantId, async (em) => {
      const output = await process.store(em, job, collected, result);
      if (begun.saved) await recordFreeResult(em, job.tenantId, freeResult(begun, 'reused'));
      if (begun.cached) await recordFreeResult(em, job.tenantId, freeResult(begun, 'cached'));
      const reusable = begun.cached ? undefined : reusableOf(begun, result);
      const totals = totalsOf(prepared, calls);
      const end: JobEnd = { status: 'completed', outcome: result.outcome, output, reusable, ...totals };
      await this.store.finish(em, job, end, recordOf(calls, { value: result.value, stored: true }));
    });
  }
}

/** What equal requests of the tenant may be answered with, where the configuration allows any. */
function reusableOf({ prepared }: BegunJob, result: StoredResult): ReusableResult | undefined {
  const { prompted, fingerprint } = prepared;
  if (prompted.cacheSeconds <= 0 || !result.executionId) return undefined;
  const { value, executionId, sources } = result;
  return { fingerprint, value, executionId, sources, model: prompted.model };
}
