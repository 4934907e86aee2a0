import pg from 'pg';
import { SUPERUSER } from './cluster.js';
import { EmbeddedPostgresError, errorCode } from './embedded.errors.js';
import { HOST } from './port.js';

/** Owns the database and its tables, and may make the roles that the application runs as; bypasses nothing. */
const OWNER = 'fieldsmith_owner';
const DATABASE = 'fieldsmith';
const CONNECT_TIMEOUT_MS = 10_000;

/** What Postgres calls a wrong password. */
const WRONG_PASSWORD = '28P01';

/**
 * Makes the database and its unprivileged owner where they are missing.
 *
 * @returns the URL under which the owner connects
 * @throws EmbeddedPostgresError `data_dir_unusable` if the kept password is not that of the cluster
 */
export async function provision(port: number, password: string, passwordFile: string): Promise<string> {
  const client = new pg.Client({
    host: HOST,
    port,
    user: SUPERUSER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: 60_000,
  });
  // Without a listener, a connection that breaks between two statements would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await createMissing(client, password);
  } catch (error) {
    throw errorCode(error) === WRONG_PASSWORD ? wrongPassword(passwordFile, error) : error;
  } finally {
    await client.end();
  }
  return ownerUrlOf(port, password);
}

/** Connects the owner of the database. */
export function ownerUrlOf(port: number, password: string): string {
  return `postgres://${OWNER}:${encodeURIComponent(password)}@${HOST}:${port}/${DATABASE}`;
}

async function createMissing(client: pg.Client, password: string): Promise<void> {
  const { rows } = await client.query<{ owner: boolean; database: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS owner,
            EXISTS (SELECT FROM pg_database WHERE datname = $2) AS database`,
    [OWNER, DATABASE],
  );
  const secret = client.escapeLiteral(password);
  if (!rows[0]?.owner) {
    await client.query(
      `CREATE ROLE ${OWNER} LOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOBYPASSRLS PASSWORD ${secret}`,
    );
  }
  if (!rows[0]?.database) await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER}`);
}

function wrongPassword(passwordFile: string, cause: unknown): EmbeddedPostgresError {
  const message = `The password in ${passwordFile} is not that of the cluster beside it: restore the file, or move both away to begin anew.`;
  return new EmbeddedPostgresError('data_dir_unusable', message, { cause });
}
