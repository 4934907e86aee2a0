import type { Config } from './config/read-config.js';

/** What is known once the things around the application run: its configuration with nothing left open. */
export interface Runtime {
  config: Config;
  /** Connects the application; the role is set on top of whatever user it names. */
  databaseUrl: string;
  masterKey: Buffer;
  /** Where the simulator answers; undefined where a provider key is known. */
  simulatorUrl?: string;
}

/** Nest token of the {@link Runtime}. */
export const RUNTIME = Symbol('RUNTIME');
