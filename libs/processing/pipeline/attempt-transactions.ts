import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FairTurns, TenantTransactions } from '#libs/tenants';
import type { ClaimedJob } from '../jobs/job.js';
import { JobStore } from '../jobs/job-store.js';
import { outlast } from './outlast.js';

/** Attempts of one process that are at the database at once, fewer than it lets transactions be there. */
const PLACES = 6;
/**
 * Of those, attempts of one tenant that is alone; tenants beside each other divide them. More would only wait for each other
 * there, where nobody sees to it that tenants take turns. Measured beside the backlog of another tenant on two cores, as edit
 * to value against idle and jobs of the backlog a second: 1.4 and 99 with one, 1.9 and 123 with two, 1.9 and 157 with three,
 * 2.6 and 163 with five.
 */
const SHARE = 3;

/**
 * Milliseconds that an attempt waits for a lock, such as that of a record which a transaction of the host holds. Then it
 * gives its place to others of its tenant and asks again later, so that a few locked records stop no others.
 */
const LOCK_TIMEOUT_MS = 500;

/** The transactions of attempts, in turns by tenant. Those that end one outlast a database that is away, for what an attempt has may be paid for. */
@Injectable()
export class AttemptTransactions {
  private readonly turns = new FairTurns(PLACES, SHARE, { divided: true });

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
      this.inTurn(job.tenantId, () =>
        this.transaction(job.tenantId, async (em) => {
          if (tries > 1) await this.store.expectClaim(em, job);
          return work(em);
        }),
      ),
    );
  }

  /** Work that may be done twice and asks for no claim. */
  repeated<T>(tenantId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return outlast(() => this.inTurn(tenantId, () => this.transaction(tenantId, work)));
  }

  /** Work at the database that waits until it is the tenant's turn. It must not ask for a turn itself. */
  inTurn<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    return this.turns.run(tenantId, work);
  }

  private transaction<T>(tenantId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.tenants.transaction(tenantId, work, { lockTimeoutMs: LOCK_TIMEOUT_MS });
  }
}
