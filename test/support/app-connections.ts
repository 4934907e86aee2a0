import pg from 'pg';
import { connectionExtras } from '#libs/tenants';
import type { TestDatabase } from './database.js';

/** Connections with the rights and the settings that the product's have. */
export class AppConnections {
  private constructor(readonly clients: readonly pg.Client[]) {}

  static async open(database: TestDatabase, count: number): Promise<AppConnections> {
    const open = async () => {
      const { options } = connectionExtras();
      const client = new pg.Client({ connectionString: database.url, options });
      await client.connect();
      return client;
    };
    return new AppConnections(await Promise.all(Array.from({ length: count }, open)));
  }

  get first(): pg.Client {
    return this.clients[0]!;
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
  }
}

/** One transaction of one tenant, as the product runs them. */
export async function asTenant<T>(client: pg.Client, tenantId: string, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/** The first row of a statement. */
export async function row<Row extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  values: unknown[],
): Promise<Row> {
  const { rows } = await client.query<Row>(sql, values);
  if (!rows[0]) throw new Error(`No row: ${sql}`);
  return rows[0];
}

/**
 * Waits until a statement that another connection has begun waits for a lock, or has ended after all.
 *
 * @returns whether it waits.
 */
export async function isBlocked(
  database: TestDatabase,
  client: pg.Client,
  begun: Promise<unknown>,
): Promise<boolean> {
  const { processID: pid } = client as pg.Client & { processID: number };
  let done = false;
  const end = (): void => void (done = true);
  begun.then(end, end);
  const sql = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`;
  while (!done) if ((await database.sql(sql, [pid])).length > 0) return true;
  return false;
}
