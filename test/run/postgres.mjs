import { join } from 'node:path';

/**
 * Starts the tests' Postgres, the embedded one, and makes the template that every test database is copied from.
 *
 * @returns {Promise<{ env: Record<string, string>, stop: () => Promise<void> }>}
 */
export async function startPostgres(dir, dist) {
  const load = (path) => import(join(dist, path));
  const { startEmbeddedPostgres } = await load('src/embedded/embedded-postgres.js');
  const { migrate } = await load('src/database/migrate.js');
  const { MIGRATIONS } = await load('src/database/migrations.js');
  const { default: pg } = await import('pg');
  const settings = { fsync: 'off', max_connections: '300' };
  const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'data'), settings });
  const admin = new URL(postgres.ownerUrl);
  admin.username = 'fieldsmith_super';
  admin.pathname = '/postgres';
  try {
    await migrate(postgres.ownerUrl, MIGRATIONS);
    const client = new pg.Client({ connectionString: admin.href });
    await client.connect();
    await client.query('ALTER DATABASE fieldsmith RENAME TO fieldsmith_template');
    await client.end();
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return {
    env: { TEST_ADMIN_URL: admin.href, TEST_OWNER_URL: postgres.ownerUrl },
    stop: () => postgres.stop(),
  };
}
