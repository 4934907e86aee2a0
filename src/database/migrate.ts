import { DataSource, type MigrationInterface } from 'typeorm';

/** Any constant will do, as long as every process of the product uses the same one. */
const MIGRATION_LOCK = 5_118_204_771;

/** How long a database may take to answer a connection. */
export const CONNECT_SECONDS = 10;

export type MigrationClass = new () => MigrationInterface;

/**
 * Brings the database up to date as its owner, under an advisory lock: of several processes that start together one
 * migrates and the others wait. Each migration runs in a transaction of its own.
 *
 * @returns the names of the migrations that were run.
 */
export async function migrate(ownerUrl: string, migrations: MigrationClass[]): Promise<string[]> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: ownerUrl,
    migrations,
    extra: { max: 2 },
    connectTimeoutMS: CONNECT_SECONDS * 1000,
    // Silent: a failure is thrown, and told by whoever catches it.
    logger: 'debug',
  });
  await dataSource.initialize();
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const run = await dataSource.runMigrations({ transaction: 'each' });
    return run.map((migration) => migration.name);
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
    await lock.release();
    await dataSource.destroy();
  }
}
