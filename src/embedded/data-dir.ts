import { accessSync, chmodSync, chownSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { clusterOf, placeElsewhere } from './cluster-place.js';
import { dataDirUnusable } from './embedded.errors.js';
import { firstBarrier, type OsUser } from './run-as.js';

/** Where everything of the embedded Postgres lies. */
export interface DataLayout {
  /** The data folder, absolute and without symbolic links. */
  dir: string;
  /** The folder of what Postgres itself must reach: the data folder, unless that lies below a closed one. */
  home: string;
  cluster: string;
  password: string;
  port: string;
  log: string;
}

/**
 * Makes the data folder if need be and sees to it that Postgres will reach its cluster.
 *
 * @throws EmbeddedPostgresError `data_dir_unusable` naming the folder that stands in the way, and the remedy
 */
export function prepareDataDir(dataDir: string, runAs: OsUser | undefined): DataLayout {
  const dir = makeFolder(resolve(dataDir));
  if (runAs) openTo(dir, runAs);
  return layoutOf(dir);
}

/** Where everything lies under a data folder, whether it is there or not. */
export function layoutOf(dir: string): DataLayout {
  const cluster = clusterOf(dir);
  return {
    dir,
    home: dirname(cluster),
    cluster,
    password: join(dir, 'postgres-password'),
    port: join(dir, 'postgres-port'),
    log: join(dir, 'postgres.log'),
  };
}

function makeFolder(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return realpathSync(path);
  } catch (error) {
    throw dataDirUnusable(`The data folder ${path} cannot be used (${(error as Error).message}).`, error);
  }
}

/**
 * Lets the user pass through the data folder itself, by its group, where no group had any right to it before.
 * Folders above are somebody else's: they stay as they are, and the cluster has its place elsewhere.
 */
function openTo(dir: string, user: OsUser): void {
  const stats = statSync(dir);
  if (firstBarrier(dir, user) === dir && stats.uid === process.getuid?.() && (stats.mode & 0o070) === 0) {
    chownSync(dir, stats.uid, user.gid);
    chmodSync(dir, (stats.mode & 0o7777) | 0o010);
  }
  const barrier = firstBarrier(dir, user);
  if (barrier !== undefined) placeElsewhere(dir, user, barrier);
}
