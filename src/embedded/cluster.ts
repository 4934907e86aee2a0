import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './binaries.js';
import type { DataLayout } from './data-dir.js';
import { EmbeddedPostgresError, errorCode, tailOf } from './embedded.errors.js';
import type { OsUser } from './run-as.js';

export const SUPERUSER = 'fieldsmith_super';

const DRAFT = /^postgres\.init-/;

/**
 * Makes the cluster if there is none, and checks that the one that is there can be used. It is made in a draft
 * folder and renamed into place whole; the folder's lock must be held.
 *
 * @returns the password of the cluster's roles
 * @throws EmbeddedPostgresError `postgres_version`, `data_dir_unusable` or `postgres_failed`
 */
export async function prepareCluster(
  layout: DataLayout,
  binaries: PostgresBinaries,
  runAs: OsUser | undefined,
): Promise<string> {
  await removeDrafts(layout.home);
  if (isAbsent(layout.cluster)) await makeCluster(layout, binaries, runAs);
  else checkCluster(layout.cluster, binaries.major, runAs?.uid ?? process.getuid?.());
  return readPassword(layout);
}

/** What a start that was killed has left behind. */
async function removeDrafts(dir: string): Promise<void> {
  for (const name of readdirSync(dir).filter((entry) => DRAFT.test(entry)))
    await removeDraft(join(dir, name));
}

/** Tries for some seconds: an initdb whose parent was killed may still be writing. */
async function removeDraft(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function isAbsent(cluster: string): boolean {
  try {
    return readdirSync(cluster).length === 0;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    // A cluster of another user cannot be listed; whose it is gets checked next.
    if (errorCode(error) === 'EACCES') return false;
    throw error;
  }
}

function checkCluster(cluster: string, major: string, uid: number | undefined): void {
  const owner = statSync(cluster).uid;
  if (owner !== uid) {
    throw new EmbeddedPostgresError(
      'data_dir_unusable',
      `${cluster} belongs to the user with id ${owner}, but Postgres would run as ${uid}: start as the user who made it, run "chown -R ${uid} ${cluster}", or set DATA_DIR to another folder.`,
    );
  }
  const file = join(cluster, 'PG_VERSION');
  if (!existsSync(file)) {
    throw new EmbeddedPostgresError(
      'data_dir_unusable',
      `${cluster} is not a Postgres cluster (it has no PG_VERSION): move it away, or set DATA_DIR to another folder.`,
    );
  }
  const found = readFileSync(file, 'utf8').trim();
  if (found === major) return;
  throw new EmbeddedPostgresError(
    'postgres_version',
    `${cluster} was made by PostgreSQL ${found}, and this Fieldsmith brings PostgreSQL ${major}: dump it with version ${found} (pg_dumpall), move the folder away, start again and load the dump; or set DATA_DIR to another folder.`,
  );
}

async function makeCluster(
  layout: DataLayout,
  binaries: PostgresBinaries,
  runAs: OsUser | undefined,
): Promise<void> {
  const password = randomBytes(24).toString('base64url');
  const draft = join(layout.home, `postgres.init-${randomBytes(4).toString('hex')}`);
  const [cluster, passwordFile] = [join(draft, 'cluster'), join(draft, 'password')];
  try {
    mkdirSync(draft, { mode: 0o700 });
    writeDurably(passwordFile, password);
    if (runAs) [draft, passwordFile].forEach((path) => chownSync(path, runAs.uid, runAs.gid));
    await runInitdb(binaries.initdb, cluster, passwordFile, runAs);
    writeDurably(`${layout.password}.draft`, `${password}\n`);
    renameSync(`${layout.password}.draft`, layout.password);
    renameSync(cluster, layout.cluster);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    const message = `No cluster could be made in ${layout.home} (${(error as Error).message}).`;
    throw new EmbeddedPostgresError('postgres_failed', message, { cause: error });
  } finally {
    await removeDraft(draft);
  }
}

/** The locale is Postgres's own C.UTF-8, so that sorting and case do not depend on the machine. */
async function runInitdb(initdb: string, cluster: string, passwordFile: string, runAs: OsUser | undefined) {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = [`--username=${SUPERUSER}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  const args = [`--pgdata=${cluster}`, '--no-instructions', ...locale, ...access];
  const env = postgresEnvironment();
  try {
    await promisify(execFile)(initdb, args, { ...runAs, cwd: '/', env, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const {
      stdout = '',
      stderr = '',
      code,
      message,
    } = error as Error & Record<'stdout' | 'stderr' | 'code', string>;
    const said = tailOf(stderr.trim() || stdout.trim() || message);
    throw new EmbeddedPostgresError('postgres_failed', `initdb failed in ${cluster} (${code}): ${said}`, {
      cause: error,
    });
  }
}

/** Nothing of our environment: a stray PGPORT or LC_MESSAGES would change what Postgres does or says. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

function writeDurably(path: string, content: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The password of the cluster's roles. @throws EmbeddedPostgresError `data_dir_unusable` where it is not there. */
export function readPassword(layout: DataLayout): string {
  try {
    const password = readFileSync(layout.password, 'utf8').trim();
    if (password !== '') return password;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  throw new EmbeddedPostgresError(
    'data_dir_unusable',
    `${layout.password}, which holds the password of the cluster ${layout.cluster}, is missing or empty: restore it, or move the cluster away to begin anew.`,
  );
}
