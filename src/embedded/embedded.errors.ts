import { FieldsmithError } from '#libs/common';

/** Why the embedded Postgres cannot be used; each message names the path and the remedy. */
export type EmbeddedErrorCode =
  'data_dir_in_use' | 'data_dir_unusable' | 'postgres_unsupported' | 'postgres_version' | 'postgres_failed';

/** Postgres could not be started, adopted or stopped. Ends the start of the host. */
export class EmbeddedPostgresError extends FieldsmithError {
  constructor(code: EmbeddedErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(code, message, options);
    this.name = 'EmbeddedPostgresError';
  }
}

/** Why there is no embedded Postgres here; the message ends in the remedy that always works. */
export function unsupported(what: string, cause?: unknown): EmbeddedPostgresError {
  const remedy = 'Or set DATABASE_URL to a PostgreSQL server of your own, version 15 or newer.';
  return new EmbeddedPostgresError('postgres_unsupported', `${what} ${remedy}`, { cause });
}

/** Why a data folder cannot be used; the message ends in the remedy. */
export function dataDirUnusable(what: string, cause?: unknown): EmbeddedPostgresError {
  const remedy = 'Set DATA_DIR to a folder that can be used, such as DATA_DIR=/var/lib/fieldsmith.';
  return new EmbeddedPostgresError('data_dir_unusable', `${what} ${remedy}`, { cause });
}

/** The `code` of a Node or Postgres error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** The last lines of a program's output on one line, for an error message. */
export function tailOf(output: string, lines = 6): string {
  const all = output.split('\n').map((line) => line.trim());
  return all.filter(Boolean).slice(-lines).join(' | ') || 'it said nothing';
}
