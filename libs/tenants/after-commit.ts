import type { DataSource, EntityManager, EntitySubscriberInterface, QueryRunner } from 'typeorm';

type Hook = () => void;

const hooks = new WeakMap<QueryRunner, Map<string, Hook>>();

/**
 * Calls the hook once the transaction of this manager has committed, whoever opened it; never if it rolls back.
 * Of several hooks with the same key in one transaction the last one runs.
 */
export function afterCommit(em: EntityManager, key: string, hook: Hook): void {
  const runner = em.queryRunner;
  if (!runner?.isTransactionActive) throw new Error('afterCommit needs a manager with an open transaction');
  const own = hooks.get(runner) ?? new Map<string, Hook>();
  own.set(key, hook);
  hooks.set(runner, own);
}

/** Runs the hooks of {@link afterCommit}; added once to the data source of the host. */
class AfterCommitSubscriber implements EntitySubscriberInterface {
  afterTransactionCommit(event: { queryRunner: QueryRunner }): void {
    if (event.queryRunner.isTransactionActive) return;
    const own = hooks.get(event.queryRunner);
    hooks.delete(event.queryRunner);
    own?.forEach((hook) => hook());
  }

  afterTransactionRollback(event: { queryRunner: QueryRunner }): void {
    if (!event.queryRunner.isTransactionActive) hooks.delete(event.queryRunner);
  }
}

/** Makes {@link afterCommit} work on this data source; calling it again changes nothing. */
export function enableAfterCommit(dataSource: DataSource): void {
  if (dataSource.subscribers.some((subscriber) => subscriber instanceof AfterCommitSubscriber)) return;
  dataSource.subscribers.push(new AfterCommitSubscriber());
}
