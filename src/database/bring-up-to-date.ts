import { FieldsmithError } from '#libs/common';
import { CONNECT_SECONDS, migrate } from './migrate.js';
import { MIGRATIONS } from './migrations.js';

/**
 * Runs the migrations that the database lacks.
 *
 * @returns their names.
 * @throws FieldsmithError `database_unusable` that says what to check.
 */
export async function bringUpToDate(ownerUrl: string): Promise<string[]> {
  try {
    return await migrate(ownerUrl, MIGRATIONS);
  } catch (error) {
    const { host } = new URL(ownerUrl);
    const remedy = `The database at ${host} cannot be used (${reasonOf(error as Error)}): check that it runs, and DATABASE_URL.`;
    throw new FieldsmithError('database_unusable', remedy, { cause: error });
  }
}

function reasonOf({ message }: Error): string {
  const silent = /connection timeout|timeout expired|timeout exceeded/i.test(message);
  return silent ? `it does not answer within ${CONNECT_SECONDS} seconds` : message;
}
