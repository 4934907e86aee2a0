import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nanoToCents, NotFoundError } from '#libs/common';
import { AuditLog } from '#libs/access';
import type { Principal } from '#libs/host';
import type { CallId } from '../budgets/hold-requests.js';

/** A call that never told its outcome, and counts in full until someone releases it. */
export interface UnconfirmedCall {
  job_id: string;
  attempt: number;
  n: number;
  pipeline_id: string | null;
  record_id: string | null;
  field: string | null;
  /** The type of job that made the call. */
  operation: string;
  provider: string;
  model: string;
  /** What was held for it, the most it can have cost. */
  amount_cents: number;
  /** Why nobody knows: the code of the error, or `worker_lost`. */
  outcome: string;
  called_at: string;
  /** When it was given up. */
  since: string;
}

export interface UnconfirmedPage {
  items: UnconfirmedCall[];
  next_cursor: string | null;
}

type Row = Omit<UnconfirmedCall, 'amount_cents' | 'called_at' | 'since'> & {
  amount: string;
  called_at: Date;
  since: Date;
};

/** By the ids of jobs, which sort by their time; an index of just these entries serves it, over all months. */
const LIST = `
  SELECT l.job_id, l.attempt, l.n, l.pipeline_id, l.record_id, l.field, l.operation, l.provider, l.model,
         l.hold_nano AS amount, l.outcome, l.held_at AS called_at, l.settled_at AS since
    FROM ai_ledger l
   WHERE l.tenant_id = $1 AND l.entry = 'unconfirmed'
     AND ($2::uuid IS NULL OR (l.job_id, l.attempt, l.n) < ($2::uuid, $3::int, $4::int))
     AND NOT EXISTS (SELECT FROM ai_ledger r WHERE r.tenant_id = $1 AND r.job_id = l.job_id AND r.attempt = l.attempt
                        AND r.n = l.n AND r.entry = 'unconfirmed_released')
   ORDER BY l.job_id DESC, l.attempt DESC, l.n DESC LIMIT $5`;

/** The hold comes before the ledger in the order of locks; there is none where it was moved into the budgets. */
const LOCK =
  'SELECT FROM ai_holds WHERE tenant_id = $1 AND job_id = $2 AND attempt = $3 AND n = $4 FOR UPDATE';
const RELEASE = `SELECT ai_correct_unconfirmed($1, $2, $3, $4, 'released', NULL) AS released`;
const RELEASED = `SELECT provider, model, pipeline_id, field, hold_nano AS amount FROM ai_ledger
  WHERE tenant_id = $1 AND job_id = $2 AND attempt = $3 AND n = $4 AND entry = 'unconfirmed'`;

/** Calls whose outcome nobody knows, for an admin who has looked at the provider's bill. */
@Injectable()
export class UnconfirmedCalls {
  constructor(private readonly audit: AuditLog) {}

  /** Newest jobs first. */
  async list(
    em: EntityManager,
    tenantId: string,
    limit: number,
    cursor: string | undefined,
  ): Promise<UnconfirmedPage> {
    const after = cursor?.split(':') ?? [null, null, null];
    const rows = await em.query<Row[]>(LIST, [tenantId, ...after, limit + 1]);
    const items = rows.slice(0, limit).map(view);
    return { items, next_cursor: rows.length > limit ? cursorOf(items.at(-1)!) : null };
  }

  /**
   * Takes a call out of what is spent: it was not billed. Where its answer comes after all, that is charged.
   *
   * @throws NotFoundError where the call is not unconfirmed, or was released before.
   */
  async release(em: EntityManager, principal: Principal, { jobId, attempt, n }: CallId): Promise<void> {
    const id = [principal.tenantId, jobId, attempt, n];
    const subjectId = `${jobId}/${attempt}/${n}`;
    await em.query(LOCK, id);
    const [row] = await em.query<{ released: boolean }[]>(RELEASE, id);
    if (!row!.released) throw new NotFoundError('unconfirmed call', subjectId);
    const [released] = await em.query<{ amount: string }[]>(RELEASED, id);
    const { amount, ...call } = released!;
    const before = { ...call, amount_cents: nanoToCents(BigInt(amount)) };
    await this.audit.record(em, principal, {
      action: 'release',
      subject: 'UnconfirmedCall',
      subjectId,
      before,
    });
  }
}

function cursorOf({ job_id: jobId, attempt, n }: UnconfirmedCall): string {
  return `${jobId}:${attempt}:${n}`;
}

function view({ amount, called_at: calledAt, since, ...rest }: Row): UnconfirmedCall {
  return {
    ...rest,
    amount_cents: nanoToCents(BigInt(amount)),
    called_at: calledAt.toISOString(),
    since: since.toISOString(),
  };
}
