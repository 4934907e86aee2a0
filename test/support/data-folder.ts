import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync } from 'node:fs';
import { readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRunning } from './program.js';

/** A data folder of a test's own, for a product with its own Postgres. */
export interface DataFolder {
  /** What the product is given as `DATA_DIR`. */
  path: string;
  /** The process of its Postgres; undefined where there is none, or none any more. */
  postgresPid(): number | undefined;
  /** Ends what still uses it, and removes it. */
  remove(): Promise<void>;
}

/**
 * @param owner the user who starts the product, where that is not the user of the tests.
 * @param mode of the folder that it lies in; by default the user of Postgres, who may be another, gets through.
 */
export function makeDataFolder(owner?: { uid: number; gid: number }, mode = 0o711): DataFolder {
  const parent = mkdtempSync(join(tmpdir(), 'fieldsmith-start-'));
  chmodSync(parent, mode);
  const path = join(parent, '.data');
  mkdirSync(path, { mode: 0o700 });
  if (owner) chownSync(path, owner.uid, owner.gid);
  const postgresPid = (): number | undefined => {
    const file = join(path, 'postgres', 'postmaster.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
    return pid > 0 && isRunning(pid) ? pid : undefined;
  };
  const remove = async (): Promise<void> => {
    const pid = postgresPid();
    if (pid !== undefined) {
      process.kill(pid, 'SIGQUIT');
      await goneFrom(pid);
    }
    const cluster = join(path, 'postgres');
    if (existsSync(cluster) && lstatSync(cluster).isSymbolicLink())
      rmSync(dirname(realpathSync(cluster)), { recursive: true, force: true });
    rmSync(parent, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  return { path, postgresPid, remove };
}

/** Resolves when a process that is not a child of this one has gone. */
export async function goneFrom(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}
