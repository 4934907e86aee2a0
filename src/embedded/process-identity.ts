import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { errorCode } from './embedded.errors.js';

/** A process that cannot be taken for a later one that was given the same id. */
export interface ProcessIdentity {
  pid: number;
  /** When it started, in a form that is only good for comparing. */
  startedAt: string;
}

/** Who has this process id now, or undefined if nobody has (a zombie is nobody). */
export function identify(pid: number): ProcessIdentity | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startFromPs(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startedAt === identity.startedAt;
}

/** Sends a signal unless the process is gone; never reaches another one that has its id by now. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Ticks since boot, made unique across boots by the id of this one. */
function startOnLinux(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${rest[18]}`;
}

function startFromPs(pid: number): string | undefined {
  const text = psOutput(pid, 'stat=,lstart=');
  return text === undefined || text.startsWith('Z') ? undefined : text.replace(/^\S+\s+/, '');
}

/** What `ps` says about a process, where there is no /proc; undefined if there is no such process. */
export function psOutput(pid: number, columns: string): string | undefined {
  try {
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
    const output = execFileSync('ps', ['-ww', '-o', columns, '-p', String(pid)], { encoding: 'utf8', env });
    return output.trim() || undefined;
  } catch (error) {
    if ((error as { status?: number }).status === 1) return undefined;
    throw error;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
