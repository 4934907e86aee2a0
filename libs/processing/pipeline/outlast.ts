import { setTimeout as wait } from 'node:timers/promises';
import { isDatabaseAway } from '#libs/tenants';
import { databaseCode } from './database-code.js';

/** `lock_timeout` of Postgres. */
const LOCK_NOT_AVAILABLE = '55P03';

const AGAIN_MS = 200;
/** Longer than an attempt waits for a lock, so that those that wait for one leave most of their tenant's share to others. */
const UNLOCKED_AGAIN_MS = 1_500;
/** A restart takes seconds; who waits longer keeps a slot, and nothing could be done with it anyway. */
const PATIENCE_MS = 60_000;

/**
 * Does the work again and again while the database is away or another holds its locks, for at most a minute. Whether the
 * try before was carried out is not known, so the work must be such that doing it twice does no harm.
 *
 * @param work is told which try it is, from 1 on.
 */
export async function outlast<T>(work: (tries: number) => Promise<T>): Promise<T> {
  const late = performance.now() + PATIENCE_MS;
  for (let tries = 1; ; tries++) {
    try {
      return await work(tries);
    } catch (error) {
      const isLocked = databaseCode(error) === LOCK_NOT_AVAILABLE;
      if ((!isLocked && !isDatabaseAway(error)) || performance.now() > late) throw error;
      await wait(isLocked ? UNLOCKED_AGAIN_MS : AGAIN_MS);
    }
  }
}
