import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EmbeddedPostgresError, errorCode } from './embedded.errors.js';
import { identify, isAlive, type ProcessIdentity } from './process-identity.js';

/** Replacing a stale lock takes a few milliseconds; a guard this old was left behind by a crash. */
const STALE_GUARD_MS = 10_000;
const GUARD_RETRY_MS = 20;
const LOCK_FILE = 'fieldsmith.lock';

export interface DataDirLock {
  /** Gives the lock back; does nothing the second time. */
  release(): void;
}

/**
 * Makes this process the only one that uses a data folder, until it releases the lock or dies.
 * The lock is a file that names its holder by process id and start time; it is put in place with a hard link,
 * so that it is never seen half-written. A lock whose holder is gone is replaced by one process at a time.
 *
 * @throws EmbeddedPostgresError `data_dir_in_use` naming the holder
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const path = join(dataDir, LOCK_FILE);
  const content = `${JSON.stringify(self())}\n`;
  while (!putInPlace(path, content)) {
    const found = readLock(path);
    if (found === undefined) continue;
    const holder = holderOf(found);
    if (holder) throw inUse(dataDir, holder.pid);
    if (!removeStale(path, found)) await wait(GUARD_RETRY_MS);
  }
  return { release: () => void (readLock(path) === content && rmSync(path, { force: true })) };
}

/** The process that uses a data folder now, if any does. */
export function holderOfDataDir(dataDir: string): ProcessIdentity | undefined {
  const found = readLock(join(dataDir, LOCK_FILE));
  return found === undefined ? undefined : holderOf(found);
}

function self(): ProcessIdentity {
  const identity = identify(process.pid);
  if (!identity)
    throw new EmbeddedPostgresError('postgres_failed', 'This process cannot see its own start time.');
  return identity;
}

function inUse(dataDir: string, pid: number): EmbeddedPostgresError {
  const message = `Another Fieldsmith (pid ${pid}) runs on ${dataDir}; stop it or set DATA_DIR to another folder.`;
  return new EmbeddedPostgresError('data_dir_in_use', message);
}

function putInPlace(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, content, { flag: 'wx' });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The living process that a lock names; a lock that cannot be read (a disk that lost it in a crash) names none. */
function holderOf(content: string): ProcessIdentity | undefined {
  try {
    const holder = JSON.parse(content) as ProcessIdentity;
    return isAlive(holder) ? holder : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * Removes a stale lock under a guard and only if it is still the one that was found stale: without that, the
 * slower of two would remove the new lock of the faster. False if another process holds the guard.
 */
function removeStale(path: string, found: string): boolean {
  const guard = `${path}.guard`;
  try {
    mkdirSync(guard);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_GUARD_MS) rmSync(guard, { recursive: true, force: true });
    return false;
  }
  try {
    if (readLock(path) === found) rmSync(path, { force: true });
    return true;
  } finally {
    rmdirSync(guard);
  }
}
