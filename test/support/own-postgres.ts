import { chmodSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/embedded-postgres.js';
import type { TestDatabase } from './database.js';
import { fixedPort } from './fixed-port.js';

/** How a Postgres goes down: sessions are ended and everything is written, or it stops as in a crash and recovers. */
export type PostgresStop = 'fast' | 'immediate';

/** No power fails here: what a killed server lost is what it had not handed to the system. */
const SETTINGS = { fsync: 'off', max_connections: '150' };
const RETRY_MS = 50;
/** How long a statement of the test waits for a server that is down. */
const PATIENCE_MS = 60_000;
/** Broken and refused connections, servers that start or stop. */
const AWAY = /ECONN|terminat|the database system is|Connection ended|08\d\d\d|57P0\d/;

/** A Postgres of a test's own, which really stops and starts, on the same port and the same data. */
export class OwnPostgres {
  readonly database: TestDatabase;
  private readonly pool: pg.Pool;

  private constructor(
    private readonly dir: string,
    private readonly settings: Record<string, string>,
    private running: EmbeddedPostgres,
  ) {
    const admin = new URL(running.ownerUrl);
    admin.username = 'fieldsmith_super';
    this.pool = new pg.Pool({ connectionString: admin.href, max: 3 });
    this.pool.on('error', () => undefined);
    this.database = {
      name: 'fieldsmith',
      url: running.ownerUrl,
      adminUrl: admin.href,
      sql: (text, values) => this.sql(text, values),
      drop: () => this.remove(),
    };
  }

  /** @param settings of `postgresql.conf`, besides those that every such server has. */
  static async started(settings: Record<string, string> = {}): Promise<OwnPostgres> {
    const dir = mkdtempSync(join(tmpdir(), 'fieldsmith-postgres-'));
    // Where root runs the tests, Postgres runs as another user, who must get through.
    chmodSync(dir, 0o711);
    mkdirSync(join(dir, 'data'), { mode: 0o700 });
    writeFileSync(join(dir, 'data', 'postgres-port'), String(await fixedPort()));
    const all = { ...SETTINGS, ...settings };
    return new OwnPostgres(dir, all, await start(dir, all));
  }

  /** Stops the server; resolves when it is gone. */
  async stop(how: PostgresStop): Promise<void> {
    if (how === 'immediate') {
      process.kill(this.pid(), 'SIGQUIT');
      await this.running.exited;
    }
    await this.running.stop();
  }

  /** Starts the server again; resolves when it takes connections. */
  async start(): Promise<void> {
    this.running = await start(this.dir, this.settings);
    if (this.running.ownerUrl !== this.database.url) throw new Error('Postgres came back on another port.');
  }

  /** The folder of the cluster, where the server keeps its own files. */
  get clusterDir(): string {
    return join(this.dir, 'data', 'postgres');
  }

  private async remove(): Promise<void> {
    await this.pool.end();
    await this.running.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** As the superuser; waits while the server is down. Only for statements that may run twice. */
  private async sql<Row extends object>(text: string, values?: unknown[]): Promise<Row[]> {
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return (await this.pool.query<Row>(text, values)).rows;
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string };
        if (!AWAY.test(`${code} ${message}`) || Date.now() > late) throw error;
        await wait(RETRY_MS);
      }
    }
  }

  private pid(): number {
    return Number(readFileSync(join(this.clusterDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }
}

function start(dir: string, settings: Record<string, string>): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir: join(dir, 'data'), settings });
}
