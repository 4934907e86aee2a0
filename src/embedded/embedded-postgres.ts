import { setTimeout as wait } from 'node:timers/promises';
import { findBinaries, type PostgresBinaries } from './binaries.js';
import { prepareCluster } from './cluster.js';
import { lockDataDir } from './data-dir-lock.js';
import { prepareDataDir, type DataLayout } from './data-dir.js';
import { EmbeddedPostgresError } from './embedded.errors.js';
import { choosePort } from './port.js';
import { findPostmaster, readPostmasterFile } from './postmaster-file.js';
import {
  PassingFailure,
  becomesReady,
  launch,
  stopPostmaster,
  watchFound,
  type Postmaster,
} from './postmaster.js';
import type { ProcessIdentity } from './process-identity.js';
import { provision } from './provision.js';
import { findRunAs, type OsUser } from './run-as.js';

export interface EmbeddedPostgresOptions {
  /** The folder of everything that is kept; made if it is missing. */
  dataDir: string;
  /** Told in one line each what happens; default: nobody. */
  log?: (line: string) => void;
  /** Settings of `postgresql.conf` by name; an adopted Postgres keeps those it was started with. */
  settings?: Record<string, string>;
}

/** A Postgres of our own. */
export interface EmbeddedPostgres {
  /** Connects the unprivileged owner to the database `fieldsmith`; holds a password. */
  ownerUrl: string;
  port: number;
  /** Shuts Postgres down (at most 25 s) and releases the data folder; the second call is the first one's promise. */
  stop(): Promise<void>;
  /** Resolves when Postgres is gone, whoever ended it; `code` is null if it was killed or adopted. */
  readonly exited: Promise<{ code: number | null }>;
}

interface Context {
  layout: DataLayout;
  binaries: PostgresBinaries;
  runAs: OsUser | undefined;
  password: string;
  settings: Record<string, string>;
  log: (line: string) => void;
}

/** What Postgres may need to let go of a cluster whose server was killed. */
const RETRY_FOR_MS = 20_000;
const RETRY_AFTER_MS = 100;

/**
 * Starts PostgreSQL from the binaries that come with npm, on a cluster under the data folder. It listens on the
 * loopback only and outlives this process: a server that a killed process left running is adopted.
 *
 * @throws EmbeddedPostgresError with a message that names the folder or file and the remedy
 * @example
 * const postgres = await startEmbeddedPostgres({ dataDir: '.data' });
 * const pool = new pg.Pool({ connectionString: postgres.ownerUrl });
 * await pool.end();
 * await postgres.stop();
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const runAs = findRunAs();
  const layout = prepareDataDir(options.dataDir, runAs);
  const lock = await lockDataDir(layout.dir);
  try {
    const binaries = await findBinaries(runAs, layout.home);
    const password = await prepareCluster(layout, binaries, runAs);
    const { settings = {}, log = () => undefined } = options;
    const { ownerUrl, postmaster } = await obtain({ layout, binaries, runAs, password, settings, log });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= stopPostmaster(postmaster.process).finally(() => lock.release()));
    return { ownerUrl, port: postmaster.port, stop, exited: postmaster.exited };
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface Obtained {
  ownerUrl: string;
  postmaster: Postmaster;
}

async function obtain(context: Context): Promise<Obtained> {
  let deadline: number | undefined;
  for (;;) {
    const running = findPostmaster(context.layout.cluster);
    if (running) {
      const adopted = await adopt(running, context);
      if (adopted) return adopted;
      continue;
    }
    try {
      return await startAnew(context);
    } catch (error) {
      deadline ??= Date.now() + RETRY_FOR_MS;
      if (!(error instanceof PassingFailure) || Date.now() > deadline) throw error;
      await wait(RETRY_AFTER_MS);
    }
  }
}

/** Takes over a Postgres that an earlier process left; one that does not answer is stopped, and undefined returned. */
async function adopt(running: ProcessIdentity, context: Context): Promise<Obtained | undefined> {
  const { layout, password, log } = context;
  if (await becomesReady(running, layout.cluster, log)) {
    const port = readPostmasterFile(layout.cluster)?.port;
    try {
      if (port === undefined) throw new Error('postmaster.pid names no port');
      const ownerUrl = await provision(port, password, layout.password);
      log(`Adopted Postgres (pid ${running.pid}, port ${port}), which an earlier process left running.`);
      return { ownerUrl, postmaster: watchFound(running, port) };
    } catch (error) {
      if (error instanceof EmbeddedPostgresError) throw error;
      log(`Postgres (pid ${running.pid}) does not answer (${(error as Error).message}); starting it anew.`);
    }
  }
  await stopPostmaster(running);
  return undefined;
}

async function startAnew(context: Context): Promise<Obtained> {
  const { layout, binaries, password, log } = context;
  const port = await choosePort(layout.port);
  const postmaster = await launch({ ...context, port });
  try {
    const ownerUrl = await provision(port, password, layout.password);
    log(
      `Postgres ${binaries.version} runs on port ${port} (pid ${postmaster.process.pid}, data in ${layout.home}).`,
    );
    return { ownerUrl, postmaster };
  } catch (error) {
    await stopPostmaster(postmaster.process);
    if (error instanceof EmbeddedPostgresError) throw error;
    const message = `Postgres started but its database could not be made (${(error as Error).message}); see ${layout.log}.`;
    throw new EmbeddedPostgresError('postgres_failed', message, { cause: error });
  }
}
