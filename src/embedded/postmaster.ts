import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { PostgresBinaries } from './binaries.js';
import { postgresEnvironment } from './cluster.js';
import type { DataLayout } from './data-dir.js';
import { EmbeddedPostgresError, tailOf } from './embedded.errors.js';
import { HOST } from './port.js';
import { readPostmasterFile } from './postmaster-file.js';
import { identify, isAlive, signal, type ProcessIdentity } from './process-identity.js';
import type { OsUser } from './run-as.js';

/** A running Postgres, whether this process started it or found it. */
export interface Postmaster {
  process: ProcessIdentity;
  port: number;
  /** Resolves when it is gone; the code is known only of one that this process started and that was not killed. */
  exited: Promise<{ code: number | null }>;
}

export interface LaunchOptions {
  layout: DataLayout;
  binaries: PostgresBinaries;
  runAs: OsUser | undefined;
  port: number;
  /** Settings of `postgresql.conf` by name; they go before the defaults here. */
  settings: Record<string, string>;
  log: (line: string) => void;
}

/** A launch that failed for a reason that passes: another Postgres was still there, or took the port. */
export class PassingFailure extends EmbeddedPostgresError {}

const DEFAULTS = { shared_buffers: '128MB', max_connections: '100', timezone: 'UTC', log_timezone: 'UTC' };
/** A new log begins where the old one is larger than this. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;
const PASSING = /"postmaster\.pid" already exists|shared memory block .* still in use|Address already in use/;
const POLL_MS = 20;
const WATCH_MS = 500;
/** Recovery after a crash takes seconds on a cluster of this size; this is for a very slow disk. */
const READY_TIMEOUT_MS = 5 * 60_000;
const READY_NOTICE_MS = 10_000;
/** Fast, immediate and hard shutdown, each with the time it gets. */
const STOP_STEPS = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5_000],
] as const;

/**
 * Starts Postgres on the cluster, in a process group of its own: a Ctrl-C in the terminal must not end it before
 * the host has drained.
 *
 * @throws PassingFailure if it is worth trying again
 * @throws EmbeddedPostgresError `postgres_failed` with the end of what Postgres said
 */
export async function launch(options: LaunchOptions): Promise<Postmaster> {
  const { layout, binaries, runAs, port } = options;
  const log = openLog(layout.log);
  const logStart = fstatSync(log).size;
  const child = spawn(binaries.postgres, ['-D', layout.cluster, ...settingArgs(port, options.settings)], {
    ...runAs,
    cwd: '/',
    env: postgresEnvironment(),
    stdio: ['ignore', log, log],
    detached: true,
  });
  const exited = exitOf(child);
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  const process = identify(child.pid ?? 0);
  if (process && (await becomesReady(process, layout.cluster, options.log))) return { process, port, exited };
  if (process) await stopPostmaster(process);
  throw launchFailure(
    (await exited).code,
    readFileSync(layout.log).subarray(logStart).toString(),
    layout.log,
  );
}

function settingArgs(port: number, settings: Record<string, string>): string[] {
  const fixed = { port: String(port), listen_addresses: HOST, unix_socket_directories: '' };
  const all = { ...DEFAULTS, ...settings, ...fixed };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function openLog(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) truncateSync(path);
  return openSync(path, 'a', 0o600);
}

function exitOf(child: ChildProcess): Promise<{ code: number | null }> {
  return new Promise((resolve) => child.once('exit', (code) => resolve({ code })));
}

function launchFailure(code: number | null, output: string, log: string): EmbeddedPostgresError {
  const Kind = PASSING.test(output) ? PassingFailure : EmbeddedPostgresError;
  const how = code === null ? 'was killed' : `exit code ${code}`;
  return new Kind(
    'postgres_failed',
    `Postgres did not start (${how}): ${tailOf(output)}. The whole log is ${log}.`,
  );
}

/** A Postgres that runs already. Its parent is gone, so its end is seen by looking. */
export function watchFound(process: ProcessIdentity, port: number): Postmaster {
  const exited = new Promise<{ code: null }>((resolve) => {
    const timer = setInterval(() => {
      if (isAlive(process)) return;
      clearInterval(timer);
      resolve({ code: null });
    }, WATCH_MS).unref();
  });
  return { process, port, exited };
}

/** Waits until Postgres takes connections; false if it ends instead, or is not ready in five minutes. */
export async function becomesReady(
  process: ProcessIdentity,
  cluster: string,
  log: (line: string) => void,
): Promise<boolean> {
  const startedAt = Date.now();
  let noticeAt = startedAt + READY_NOTICE_MS;
  while (isAlive(process) && Date.now() - startedAt < READY_TIMEOUT_MS) {
    const file = readPostmasterFile(cluster);
    if (file?.pid === process.pid && file.status === 'ready') return true;
    if (Date.now() > noticeAt) {
      log(`Postgres (pid ${process.pid}) is not ready yet (${file?.status ?? 'starting'}).`);
      noticeAt += READY_NOTICE_MS;
    }
    await wait(POLL_MS);
  }
  return false;
}

/**
 * Shuts Postgres down: fast (sessions are ended, nothing is lost), after 10 s at once (it recovers at the next start),
 * after 10 s more by force. Does nothing if it is gone.
 *
 * @throws EmbeddedPostgresError `postgres_failed` if it survives even that
 */
export async function stopPostmaster(process: ProcessIdentity): Promise<void> {
  for (const [name, timeout] of STOP_STEPS) {
    signal(process, name);
    if (await isGoneWithin(process, timeout)) return;
  }
  throw new EmbeddedPostgresError(
    'postgres_failed',
    `Postgres (pid ${process.pid}) cannot be stopped: end it by hand.`,
  );
}

async function isGoneWithin(process: ProcessIdentity, timeout: number): Promise<boolean> {
  const deadline = Date.now() + timeout;
  while (isAlive(process)) {
    if (Date.now() > deadline) return false;
    await wait(POLL_MS);
  }
  return true;
}
