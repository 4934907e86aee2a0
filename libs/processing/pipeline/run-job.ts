import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { recordFreeResult } from '#libs/accounting';
import { newId, type Json } from '#libs/common';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore, type JobEnd, type ReusableResult } from '../jobs/job-store.js';
import type { StoredResult } from './ai-process.js';
import { JobAnswerer, type AttemptCalls } from './answer-job.js';
import { AttemptTransactions } from './attempt-transactions.js';
import { JobBeginner } from './begin-job.js';
import { freeResult, recordOf, shownOf, totalsOf, type BegunJob } from './begun-job.js';
import { JobEnder } from './end-job.js';
import { executionRow } from './execution.js';
import { outlast } from './outlast.js';

/**
 * Runs one job through the five steps: collect and prompt in the transaction that claims it, the call with no
 * transaction open, parse, and store in the transaction that completes it.
 */
@Injectable()
export class JobRunner {
  constructor(
    private readonly transactions: AttemptTransactions,
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
    const begun = await outlast(() =>
      this.transactions.inTurn(hint.tenantId, () => this.beginner.begin(hint, workerId)),
    );
    if (!begun) return;
    if ('error' in begun) return this.ender.endUnbegun(begun, begun.error);
    if (begun.unchanged) return this.endUnchanged(begun);
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
    if (cached) return { ...common, ...cached, executionId: newId(), outcome: 'cached', costNano: 0n };
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
    await this.transactions.fenced(job, async (em) => {
      const output = await process.store(em, job, collected, result);
      if (begun.saved) await recordFreeResult(em, job.tenantId, freeResult(begun, 'reused'));
      if (begun.cached) await recordFreeResult(em, job.tenantId, freeResult(begun, 'cached'));
      const reusable = begun.cached ? undefined : reusableOf(begun, result);
      const totals = totalsOf(prepared, calls);
      const end: JobEnd = { status: 'completed', outcome: result.outcome, output, reusable, ...totals };
      const recorded = begun.cached
        ? { executions: [cachedExecution(begun, result)], settlements: [] }
        : recordOf(calls, { value: result.value, stored: true });
      await this.store.finish(em, job, end, recorded, { last: !begun.saved });
      if (begun.saved) await markStored(em, job.tenantId, begun.saved.id, result.value);
    });
  }

  private async endUnchanged(begun: BegunJob): Promise<void> {
    const { job, process, collected, prepared } = begun;
    try {
      await this.transactions.fenced(job, async (em) => {
        await process.unchanged?.(em, job, collected);
        const end: JobEnd = { status: 'completed', outcome: 'unchanged', ...shownOf(prepared) };
        await this.store.finish(em, job, end);
        await recordFreeResult(em, job.tenantId, freeResult(begun, 'unchanged'));
      });
    } catch (error) {
      await this.ender.endUnbegun(begun, error);
    }
  }
}

/** A value from the cache has an execution of its own, so that it has a history and can be restored; it cost nothing. */
function cachedExecution({ job, prepared }: BegunJob, { executionId, value }: StoredResult): object {
  const call = { jobId: job.id, attempt: job.attempt, n: 0 };
  const { request } = prepared;
  const execution = { id: executionId!, call, job, prepared, request, costNano: 0n, durationMs: 0 };
  return executionRow(execution, { value, stored: true });
}

/** The answer that an earlier attempt paid for has become the value after all. */
async function markStored(em: EntityManager, tenantId: string, id: string, value: Json): Promise<void> {
  await em.query('UPDATE ai_executions SET stored = true, value = $3 WHERE tenant_id = $1 AND id = $2', [
    tenantId,
    id,
    JSON.stringify(value),
  ]);
}

/** What equal requests of the tenant may be answered with, where the configuration allows any. */
function reusableOf({ prepared }: BegunJob, result: StoredResult): ReusableResult | undefined {
  const { prompted, fingerprint } = prepared;
  if (prompted.cacheSeconds <= 0 || !result.executionId) return undefined;
  const { value, executionId, sources } = result;
  return { fingerprint, value, executionId, sources, model: prompted.model };
}
