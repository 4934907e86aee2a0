import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EmbeddedPostgresError } from './embedded.errors.js';

/** The operating system user that Postgres runs as, where that is not the user of this process. */
export interface OsUser {
  uid: number;
  gid: number;
}

const NAME = 'postgres';

/**
 * Postgres refuses to run as root, so root runs it as the user `postgres`, which is created if need be.
 * Undefined for every other user: then it runs as that user.
 *
 * @throws EmbeddedPostgresError `postgres_unsupported` if the user is neither there nor can be created
 */
export function findRunAs(): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookUp() ?? create();
}

function lookUp(): OsUser | undefined {
  try {
    return { uid: Number(run('id', '-u', NAME)), gid: Number(run('id', '-g', NAME)) };
  } catch {
    return undefined;
  }
}

function create(): OsUser {
  let cause: unknown;
  try {
    run('groupadd', '--system', '--force', NAME);
    run('useradd', '--system', '--gid', NAME, '--no-create-home', '--shell', '/usr/sbin/nologin', NAME);
  } catch (error) {
    cause = error;
  }
  const user = lookUp();
  if (user) return user;
  throw new EmbeddedPostgresError(
    'postgres_unsupported',
    `Postgres does not run as root, and the user "${NAME}" could not be created: create it, start as an ordinary user, or set DATABASE_URL.`,
    { cause },
  );
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The first folder on the way to `path` (itself included, if it is a folder) that the user may not pass through. */
export function firstBarrier(path: string, user: OsUser): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : firstBarrier(parent, user);
  if (above !== undefined) return above;
  const stats = statSync(path);
  return !stats.isDirectory() || grants(stats, user, 0o1) ? undefined : path;
}

/** Whether mode bits (0o4 read, 0o1 pass through or run) are granted to a user by owner, group or others. */
export function grants(
  stats: { mode: number; uid: number; gid: number },
  user: OsUser,
  bits: number,
): boolean {
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  return ((stats.mode >> shift) & bits) === bits;
}
