import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errorCode } from './embedded.errors.js';
import { identify, psOutput, type ProcessIdentity } from './process-identity.js';

/** What `postmaster.pid` says. Postgres writes it line by line, so all but the process may be missing yet. */
export interface PostmasterFile {
  pid: number;
  port?: number;
  /** `starting`, `ready`, `stopping` or `standby`. */
  status?: string;
}

/** The file's content, or undefined where there is none: no Postgres runs, and the last one was shut down. */
export function readPostmasterFile(cluster: string): PostmasterFile | undefined {
  const text = readIfThere(fileOf(cluster));
  if (text === undefined) return undefined;
  const lines = text.split('\n').map((line) => line.trim());
  return { pid: Number(lines[0]), port: Number(lines[3]) || undefined, status: lines[7] || undefined };
}

/**
 * The Postgres that runs on a cluster. After a crash the file may name a process id that another program has by
 * now, or a zombie that nobody reaps. Postgres would take either for a running server and refuse to start, so such a
 * file is removed here; that a server runs unseen is still noticed by its shared memory.
 */
export function findPostmaster(cluster: string): ProcessIdentity | undefined {
  const pid = readPostmasterFile(cluster)?.pid;
  if (pid === undefined) return undefined;
  const process = identify(pid);
  if (process && isPostgresOf(cluster, pid)) return process;
  if (isTaken(pid)) rmSync(fileOf(cluster), { force: true });
  return undefined;
}

/** Whether the system knows the process id, be it a zombie's. */
function isTaken(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

/** By its command line, which everybody may read: the working folder of another user's process is hidden even from root in a container. */
function isPostgresOf(cluster: string, pid: number): boolean {
  if (process.platform !== 'linux')
    return ` ${psOutput(pid, 'command=') ?? ''} `.includes(`/postgres -D ${cluster} `);
  const [program = '', ...args] = (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0');
  return basename(program) === 'postgres' && args[0] === '-D' && args[1] === cluster;
}

function fileOf(cluster: string): string {
  return join(cluster, 'postmaster.pid');
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
