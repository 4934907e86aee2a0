import { FieldsmithError } from '#libs/common';
import { migrate } from './migrate.js';
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
    const remedy = `The database at ${host} cannot be used (${(error as Error).message}): check that it runs, and DATABASE_URL.`;
    throw new FieldsmithError('database_unusable', remedy, { cause: error });
  }
}
