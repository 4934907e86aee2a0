import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import { recordFreeResult } from '#libs/accounting';
import { TenantTransactions } from '#libs/tenants';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore, NO_CALLS } from '../jobs/job-store.js';
import { freeResult, shownOf, type BegunJob } from './begun-job.js';
import { JobEnder } from './end-job.js';
import { CallPreparer } from './prepare-call.js';
import { ProcessRegistry } from './process-registry.js';
import { ResultCache } from './result-cache.js';
import { KeyPaused } from './retry-policy.js';

/** The collect and prompt steps, in the transaction that claims the job; a job that needs no call ends in it too. */
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
  ) {}

  /** @returns the job with the call to make; undefined where there is nothing to take, or nothing to ask. */
  async begin(hint: JobHint, workerId: string): Promise<BegunJob | undefined> {
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
      if (job) await this.store.finish(em, job, this.ender.endOf(job, error));
    });
  }

  private async collect(em: EntityManager, job: ClaimedJob): Promise<BegunJob | undefined> {
    const process = this.processes.get(job.jobType);
    let collected: unknown;
    try {
      collected = await process.collect(em, job);
      const prepared = await this.preparer.prepare(em, job.tenantId, process.prompt(job, collected));
      const begun: BegunJob = { job, process, collected, prepared };
      return (await this.endWithoutCall(em, begun)) ? undefined : begun;
    } catch (error) {
      if (!(error instanceof FieldsmithError)) throw error;
      await this.ender.fail(em, { job, process, collected }, error, NO_CALLS);
      return undefined;
    }
  }

  /** Ends the job here where nothing needs to be asked: the value is current, or an equal request was answered before. */
  private async endWithoutCall(em: EntityManager, begun: BegunJob): Promise<boolean> {
    const { job, prepared } = begun;
    const { prompted, fingerprint, key, provider } = prepared;
    if (!job.force && prompted.currentFingerprint === fingerprint) {
      await this.endUnchanged(em, begun);
      return true;
    }
    if (job.attempt > 1) begun.saved = await this.cache.answerOf(em, job.tenantId, job.id, fingerprint);
    if (begun.saved) return false;
    if (!job.force && prompted.cacheSeconds > 0) {
      begun.cached = await this.cache.find(em, job.tenantId, fingerprint, prompted.cacheSeconds);
    }
    if (begun.cached) return false;
    if (key.pausedUntil) {
      throw new KeyPaused(Math.max(0, key.pausedUntil.getTime() - Date.now()), provider.name);
    }
    return false;
  }

  private async endUnchanged(em: EntityManager, begun: BegunJob): Promise<void> {
    const { job, process, collected, prepared } = begun;
    await process.unchanged?.(em, job, collected);
    await recordFreeResult(em, job.tenantId, freeResult(begun, 'unchanged'));
    await this.store.finish(em, job, { status: 'completed', outcome: 'unchanged', ...shownOf(prepared) });
  }
}
