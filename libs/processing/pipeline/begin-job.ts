import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import { commitBehind, isDatabaseAway, TenantTransactions } from '#libs/tenants';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore } from '../jobs/job-store.js';
import type { BegunJob, CollectedJob } from './begun-job.js';
import { JobEnder } from './end-job.js';
import { KeyGuard } from './key-guard.js';
import { KeyPauses } from './key-pauses.js';
import { CallPreparer } from './prepare-call.js';
import { ProcessRegistry } from './process-registry.js';
import { ResultCache } from './result-cache.js';
import { WorkerLost } from './retry-policy.js';

/** A job that ended before its call. */
export interface UnbegunJob extends CollectedJob {
  error: FieldsmithError;
}

/**
 * The collect and prompt steps, in the transaction that claims the job. It writes nothing else: what ends a job writes its
 * value first, and the claim has locked the job.
 */
@Injectable()
export class JobBeginner {
  // The collaborators are the steps themselves.
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly store: JobStore,
    private readonly processes: ProcessRegistry,
    private readonly preparer: CallPreparer,
    private readonly cache: ResultCache,
    private readonly ender: JobEnder,
    private readonly keys: KeyGuard,
    private readonly pauses: KeyPauses,
  ) {}

  /** @returns the job with the call to make, or with why there is none; undefined where there is nothing to take. */
  async begin(hint: JobHint, workerId: string): Promise<BegunJob | UnbegunJob | undefined> {
    let claimed: ClaimedJob | undefined;
    try {
      // Lost in a crash of the server, the job is pending again. What was paid for comes after it, and is on disk.
      return await this.tenants.repeatable(hint.tenantId, async (em) => {
        claimed = await this.store.claim(em, hint.tenantId, hint.jobId, workerId);
        return claimed && (await this.collect(em, claimed));
      });
    } catch (error) {
      if (!claimed || isDatabaseAway(error)) throw error;
      await this.endUnbegun(hint, workerId, error);
      return undefined;
    }
  }

  /** Claims again after the claiming transaction failed, only to say how the job ends. */
  private async endUnbegun(hint: JobHint, workerId: string, error: unknown): Promise<void> {
    await this.tenants.transaction(hint.tenantId, async (em) => {
      const job = await this.store.claim(em, hint.tenantId, hint.jobId, workerId);
      if (job) await this.store.finish(em, job, this.ender.endOf(job, error));
    });
  }

  private async collect(em: EntityManager, job: ClaimedJob): Promise<BegunJob | UnbegunJob> {
    const process = this.processes.get(job.jobType);
    let collected: unknown;
    try {
      collected = await process.collect(em, job);
      if (job.retryCount > job.maxRetries) throw new WorkerLost();
      const prepared = await this.preparer.prepare(em, job.tenantId, process.prompt(job, collected));
      const begun: BegunJob = { job, process, collected, prepared };
      await this.findKnown(em, begun);
      return begun;
    } catch (error) {
      if (!(error instanceof FieldsmithError)) throw error;
      return { job, process, collected, error };
    }
  }

  /**
   * Looks for what makes the call unnecessary: the value is current, or an equal request was answered before. The last to
   * look at the database.
   */
  private async findKnown(em: EntityManager, begun: BegunJob): Promise<void> {
    const { job, prepared } = begun;
    const { prompted, fingerprint, key } = prepared;
    if (!job.force && prompted.currentFingerprint === fingerprint) {
      begun.unchanged = true;
      return;
    }
    if (job.attempt > 1) begun.saved = await this.cache.answerOf(em, job.tenantId, job.id, fingerprint);
    if (begun.saved) return;
    if (!job.force && prompted.cacheSeconds > 0) {
      const request = { fingerprint, sources: prompted.sources };
      const found = this.cache.find(em, job.tenantId, request, prompted.cacheSeconds);
      commitBehind(em);
      begun.cached = await found;
    }
    if (begun.cached) return;
    if (key.breaker && key.breaker.probeInMs > 0) throw this.keys.failing(key.ref, key.breaker);
    this.pauses.requireNone(prepared);
  }
}
