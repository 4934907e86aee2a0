import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** What the runner of the tests tells them. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run the tests with npm test, or node test/run.mjs e2e <pattern>.`);
  return value;
}

/** A database of a test's own, copied from the migrated template. */
export interface TestDatabase {
  name: string;
  /** Connects as the unprivileged owner; what the product is given. */
  url: string;
  /** Connects as the superuser of the cluster. */
  adminUrl: string;
  /** Runs a statement as the superuser: sees the rows of all tenants. */
  sql<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** @param options.template `false` makes an empty database, for tests of the migrations. */
export async function createDatabase(options: { template?: boolean } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = options.template === false ? 'template0' : 'fieldsmith_template';
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER fieldsmith_owner`);
  const adminUrl = withDatabase(setting('TEST_ADMIN_URL'), name);
  const pool = new pg.Pool({ connectionString: adminUrl, max: 2 });
  // A connection that is still closing when its database is dropped is cut by the server.
  pool.on('error', () => undefined);
  return {
    name,
    url: withDatabase(setting('TEST_OWNER_URL'), name),
    adminUrl,
    sql: async <Row extends object>(text: string, values?: unknown[]) =>
      (await pool.query<Row>(text, values)).rows,
    drop: async () => {
      await pool.end();
      await administer(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: setting('TEST_ADMIN_URL') });
  await client.connect();
  try {
    // Copying a template fails while another test copies it: one at a time.
    await client.query('SELECT pg_advisory_lock(1)');
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
