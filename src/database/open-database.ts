import { resolve } from 'node:path';
import type { Config } from '../config/read-config.js';
import { startEmbeddedPostgres } from '../embedded/embedded-postgres.js';
import { findRunningPostgres } from '../embedded/running-postgres.js';

/** A database that a command works on, whoever runs it. */
export interface OpenDatabase {
  /** Connects the application. */
  url: string;
  /** Connects as the owner of the schema. */
  ownerUrl: string;
  /** Ends what was started for it; does nothing to a database that others run. */
  close(): Promise<void>;
}

/**
 * The database of `DATABASE_URL`; else the embedded one: that of a product which runs on the data folder, or one that is
 * started for the time of the command.
 */
export async function openDatabase(config: Config): Promise<OpenDatabase> {
  const { databaseUrl, databaseOwnerUrl } = config;
  if (databaseUrl) return { url: databaseUrl, ownerUrl: databaseOwnerUrl ?? databaseUrl, close };
  const dataDir = resolve(config.dataDir);
  const running = findRunningPostgres(dataDir);
  if (running) return { url: running, ownerUrl: running, close };
  const postgres = await startEmbeddedPostgres({ dataDir });
  return { url: postgres.ownerUrl, ownerUrl: postgres.ownerUrl, close: () => postgres.stop() };
}

const close = (): Promise<void> => Promise.resolve();
