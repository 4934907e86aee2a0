import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readlinkSync, rmdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dataDirUnusable, errorCode } from './embedded.errors.js';
import { firstBarrier, type OsUser } from './run-as.js';

/** Holds the clusters of data folders that Postgres cannot reach, each in a folder of its own; root's, and nobody else writes there. */
const ELSEWHERE = '/var/lib/fieldsmith-postgres';
const NAME = 'postgres';

/** Where the cluster of a data folder lies, whether it is there or not: in it, or where a link of ours leads. */
export function clusterOf(dir: string): string {
  const path = join(dir, NAME);
  return linkedFrom(path) ?? path;
}

/**
 * Gives the cluster of a data folder that Postgres cannot reach a place where it can, and links it from the data folder. All
 * else stays in the data folder, which only root reads.
 *
 * @param barrier the folder that the user cannot pass through.
 * @throws EmbeddedPostgresError `data_dir_unusable` where a cluster is in the data folder already, or there is no such place
 */
export function placeElsewhere(dir: string, user: OsUser, barrier: string): void {
  const link = join(dir, NAME);
  const problem = `Postgres runs as the user "postgres" because root may not run it, and that user cannot pass through ${barrier}, where the data folder ${dir} lies`;
  if (linkedFrom(link) === undefined) {
    if (lstatSync(link, { throwIfNoEntry: false })) throw dataDirUnusable(`${problem}.`);
    try {
      makeLink(link);
    } catch (error) {
      const message = `${problem}; nor can ${ELSEWHERE} be used instead (${(error as Error).message}).`;
      throw dataDirUnusable(message, error);
    }
  }
  const home = dirname(clusterOf(dir));
  if (!existsSync(home)) {
    const remedy = `restore it, or remove ${link} to begin anew`;
    throw dataDirUnusable(`${home}, where the cluster of ${dir} lay, is not there any more: ${remedy}.`);
  }
  const closed = firstBarrier(home, user);
  if (closed !== undefined) throw dataDirUnusable(`${problem}; nor can it pass through ${closed}.`);
}

/** Of two processes that start at once the first decides; the other's folder goes. */
function makeLink(link: string): void {
  mkdirSync(dirname(ELSEWHERE), { recursive: true });
  if (!existsSync(ELSEWHERE)) makePassable(ELSEWHERE);
  const home = join(ELSEWHERE, randomBytes(8).toString('hex'));
  makePassable(home);
  try {
    symlinkSync(join(home, NAME), link);
  } catch (error) {
    rmdirSync(home);
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

/** Whatever the umask. */
function makePassable(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
}

/** Where a link of ours leads; undefined where there is none. */
function linkedFrom(path: string): string | undefined {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined;
  const target = readlinkSync(path);
  return dirname(dirname(target)) === ELSEWHERE ? target : undefined;
}
