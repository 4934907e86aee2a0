import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { migrate } from '../../src/database/migrate.js';
import { MIGRATIONS } from '../../src/database/migrations.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/embedded-postgres.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startProduct, type RunningProduct } from '../support/product.js';

const here = fileURLToPath(new URL('.', import.meta.url));

/** A bench asks as fast as it is answered; it goes through the throttle all the same. */
const UNTHROTTLED = { THROTTLE_PRINCIPAL_PER_SECOND: '1000000', THROTTLE_TENANT_PER_SECOND: '1000000' };

/** What every bench stands on: a Postgres with its default, durable settings, and an instant provider. */
export interface BenchStage {
  /** Where the provider answers, without `/v1`. */
  providerUrl: string;
  /** Names the version, for the results. */
  postgresVersion: string;
  /** A migrated, empty database. */
  database(): Promise<TestDatabase>;
  /** A process of the product with the settings of production. */
  product(database: TestDatabase, env?: Record<string, string>): Promise<RunningProduct>;
  /** Another provider, which takes this many milliseconds for each answer. @returns its URL, without `/v1`. */
  slowProvider(latencyMs: number): Promise<string>;
  /** A Redis of the stage's own. @returns its URL. */
  redis(): Promise<string>;
  close(): Promise<void>;
}

/** @param settings of `postgresql.conf` by name, to look deeper; the default is what the product ships with. */
export async function setBenchStage(settings: Record<string, string> = {}): Promise<BenchStage> {
  // The product is started from the build that this file is in, whatever `dist/current` is by then.
  process.env['TEST_DIST'] = join(here, '..', '..');
  const dir = mkdtempSync(join(tmpdir(), 'fieldsmith-bench-'));
  // Where root runs the bench, Postgres runs as another user, who must get through.
  chmodSync(dir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'data'), settings });
  const postgresVersion = await makeTemplate(postgres);
  const providers: ChildProcess[] = [];
  const startProvider = async (latencyMs: number): Promise<string> => {
    const provider = fork(join(here, 'provider.js'), [String(latencyMs)]);
    providers.push(provider);
    const [url] = (await once(provider, 'message')) as [string];
    return url;
  };
  const providerUrl = await startProvider(0);
  let redis: Promise<OwnRedis> | undefined;
  return {
    providerUrl,
    postgresVersion,
    database: () => createDatabase(),
    product: (database, env = {}) =>
      startProduct({ database, providerUrl, env: { AI_SWEEP_INTERVAL_MS: '1000', ...UNTHROTTLED, ...env } }),
    slowProvider: startProvider,
    redis: async () => (await (redis ??= startRedis(dir))).url,
    close: async () => {
      for (const provider of providers) await ended(provider);
      await (await redis)?.stop();
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface OwnRedis {
  url: string;
  stop(): Promise<void>;
}

/** As the tests find and start it; their runner is not compiled. */
async function startRedis(dir: string): Promise<OwnRedis> {
  const runner = (await import(join(process.cwd(), 'test/run/redis.mjs'))) as {
    redisServerOrStop(): string;
    startRedis(server: string, dir: string): Promise<OwnRedis>;
  };
  return runner.startRedis(runner.redisServerOrStop(), dir);
}

/** Migrates a database that all others are copied from, and tells the test support where. */
async function makeTemplate(postgres: EmbeddedPostgres): Promise<string> {
  const admin = new URL(postgres.ownerUrl);
  admin.username = 'fieldsmith_super';
  admin.pathname = '/postgres';
  process.env['TEST_ADMIN_URL'] = admin.href;
  process.env['TEST_OWNER_URL'] = postgres.ownerUrl;
  await migrate(postgres.ownerUrl, MIGRATIONS);
  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  try {
    await client.query('ALTER DATABASE fieldsmith RENAME TO fieldsmith_template');
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]!.server_version;
  } finally {
    await client.end();
  }
}

/** Lets a forked process go, and waits until it has. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}
