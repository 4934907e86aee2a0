import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type pg from 'pg';
import { escapeLiteral } from 'pg';
import { DataSource, QueryFailedError, type EntityManager, type QueryRunner } from 'typeorm';
import { FairTurns } from './fair-turns.js';
import { TENANT_SETTING } from './roles.js';

const MAX_TRIES = 4;
/**
 * Transactions of one process at once, fewer than it has connections, so that what needs none of these finds one.
 * They must not be nested: whoever has one and waits for another may wait for ever.
 */
const PLACES = 7;
/** Of those, transactions of one tenant. */
const SHARE = 5;

interface OpenTransaction {
  tenantId: string;
  /** The COMMIT, once it has been sent. */
  committing?: Promise<unknown>;
}

const openTransactions = new WeakMap<QueryRunner, OpenTransaction>();

/** The tenant that {@link TenantTransactions} has set for the transaction of this manager; undefined in a host's own. */
export function tenantOf(em: EntityManager): string | undefined {
  return em.queryRunner && openTransactions.get(em.queryRunner)?.tenantId;
}

/**
 * Sends the COMMIT behind the statement sent last without waiting for its answer: one round trip less. Where that statement
 * fails, the database rolls back instead. The work must send nothing more, and must throw where, and only where, that
 * statement fails. Without effect in a transaction that {@link TenantTransactions} has not opened.
 *
 * @example
 * const saved = em.query(LAST_STATEMENT, values);
 * commitBehind(em);
 * return await saved;
 */
export function commitBehind(em: EntityManager): void {
  const open = em.queryRunner && openTransactions.get(em.queryRunner);
  if (!open) return;
  open.committing = em.query('COMMIT');
  open.committing.catch(() => undefined);
}

/** The part of TypeORM's query runner that it sets itself in `startTransaction` and `commitTransaction`. */
interface TransactionState {
  isTransactionActive: boolean;
  transactionDepth: number;
}

/**
 * Every access to tenant data goes through here: a transaction whose tenant is set, so that row-level security lets
 * through the rows of that tenant and no others.
 */
@Injectable()
export class TenantTransactions {
  private readonly turns = new FairTurns(PLACES, SHARE);

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /**
   * Runs the work in one transaction of one tenant: commits when it resolves, rolls back when it throws. Where the database
   * gave it up in a deadlock it is done again, so it must do nothing but read and write through the manager.
   *
   * @example
   * const rows = await tenants.transaction(tenantId, (em) => em.query('SELECT id FROM ai_jobs LIMIT 10'));
   *
   * @param options `lockTimeoutMs`: the longest that a statement waits for a lock, before it fails with the database error
   * `55P03`; for ever unless told.
   */
  async transaction<T>(
    tenantId: string,
    work: (em: EntityManager) => Promise<T>,
    { lockTimeoutMs }: { lockTimeoutMs?: number } = {},
  ): Promise<T> {
    const patience = lockTimeoutMs === undefined ? '' : `; SET LOCAL lock_timeout TO ${lockTimeoutMs}`;
    return this.inTransaction(`BEGIN; ${setTenant(tenantId)}${patience}`, tenantId, work);
  }

  /**
   * Like {@link transaction} for work that does no harm where the server loses it in a crash, because whoever finds it
   * undone does it again: it commits without waiting for the disk, and whatever commits after it in earnest makes it durable.
   * It sees everything as of one moment.
   */
  async repeatable<T>(tenantId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.inTransaction(
      `BEGIN ISOLATION LEVEL REPEATABLE READ; ${setTenant(tenantId)}; SET LOCAL synchronous_commit TO off`,
      tenantId,
      work,
    );
  }

  /**
   * Like {@link transaction} for work that only reads, and must see everything as of one moment: a record and the state
   * of its AI values belong together.
   */
  async snapshot<T>(tenantId: string, work: (em: EntityManager) => Promise<T>): Promise<T> {
    const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${setTenant(tenantId)}`;
    return this.inTransaction(begin, tenantId, work);
  }

  /**
   * Runs the work in one transaction with no tenant set: tenant tables read as empty. Only for the cross-tenant
   * functions that migrations define for the system role.
   */
  async system<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.inTransaction(`BEGIN; ${setTenant('')}`, '', work);
  }

  /** Whoever loses a deadlock or a race for a unique row begins again: the work reads everything anew. */
  private async inTransaction<T>(
    begin: string,
    tenantId: string,
    work: (em: EntityManager) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.turns.run(tenantId, () => this.once(begin, tenantId, work));
      } catch (error) {
        if (tries === MAX_TRIES || !isPassing(error)) throw error;
      }
    }
  }

  private async once<T>(
    begin: string,
    tenantId: string,
    work: (em: EntityManager) => Promise<T>,
  ): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    const open: OpenTransaction = { tenantId };
    openTransactions.set(runner, open);
    try {
      const client = (await runner.connect()) as pg.PoolClient;
      const begun = this.begin(runner, client, begin);
      const result = await work(runner.manager);
      await begun;
      await (open.committing ? this.committed(runner, open.committing) : runner.commitTransaction());
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await this.rollBack(runner, open);
      throw error;
    } finally {
      await runner.release();
    }
  }

  private async committed(runner: QueryRunner, committing: Promise<unknown>): Promise<void> {
    await committing;
    this.ended(runner);
    await runner.broadcaster.broadcast('AfterTransactionCommit');
  }

  /** After a COMMIT that was sent the database has rolled back already. */
  private async rollBack(runner: QueryRunner, { committing }: OpenTransaction): Promise<void> {
    if (!committing) return runner.rollbackTransaction().catch(() => undefined);
    await committing.catch(() => undefined);
    this.ended(runner);
    await runner.broadcaster.broadcast('AfterTransactionRollback');
  }

  private ended(runner: QueryRunner): void {
    const state = runner as unknown as TransactionState;
    state.isTransactionActive = false;
    state.transactionDepth = 0;
  }

  /**
   * BEGIN and the tenant travel as one message, and the work's first statement follows without waiting for the
   * answer (the connection pipelines): two round trips saved of every transaction. `startTransaction` of TypeORM
   * would wait; its state is set here the way it sets it, so that nested use makes savepoints.
   */
  private begin(runner: QueryRunner, client: pg.PoolClient, sql: string): Promise<unknown> {
    const state = runner as unknown as TransactionState;
    state.isTransactionActive = true;
    state.transactionDepth = 1;
    const begun = client.query(sql);
    begun.catch(() => undefined);
    return begun;
  }
}

/** Errors that are gone when the same work is done again: deadlock, serialisation, two pending jobs of one subject. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { code, constraint } = error.driverError as { code?: string; constraint?: string };
  return code === '40P01' || code === '40001' || (code === '23505' && constraint === 'ai_jobs_open');
}

/** A utility statement: no plan, no row to send back. `SELECT set_config` took 25 µs more of each transaction. */
function setTenant(tenantId: string): string {
  return `SET LOCAL ${TENANT_SETTING} TO ${escapeLiteral(tenantId)}`;
}
