import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { TenantTransactions } from '#libs/tenants';
import type { ClaimedJob } from '../jobs/job.js';
import { JobStore } from '../jobs/job-store.js';
import { outlast } from './outlast.js';

/** The transactions that end an attempt: they outlast a database that is away, for what an attempt has may be paid for. */
@Injectable()
export class AttemptTransactions {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly store: JobStore,
  ) {}

  /**
   * Fenced work of one attempt. A claim may be lost in a crash of the server, and its number given to another worker: so
   * after a break the claim is looked for first.
   *
   * @throws the database error `FS001` where the attempt is not this worker's any more.
   */
  fenced<T>(job: ClaimedJob, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return outlast((tries) =>
      this.tenants.transaction(job.tenantId, async (em) => {
        if (tries > 1) await this.store.expectClaim(em, job);
        return work(em);
      }),
    );
  }

  /** Work that may be done twice and asks for no claim. */
  repeated<T>(tenantId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return outlast(() => this.tenants.transaction(tenantId, work));
  }
}
