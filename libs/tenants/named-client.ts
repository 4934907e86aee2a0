import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import pg from 'pg';
import { APP_ROLE } from './roles.js';

/**
 * How many statements one connection prepares at most. Texts of the application are constants, a few hundred;
 * texts made on the fly beyond the limit run unprepared, so that a server never collects them without end.
 */
const MAX_NAMED = 1_000;

const names = new Map<string, string>();

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known) return known;
  if (names.size >= MAX_NAMED) return undefined;
  const name = `f_${createHash('sha1').update(text).digest('base64url')}`;
  names.set(text, name);
  return name;
}

/**
 * A `pg` client that gives every parameterised text a name, so that Postgres parses and plans it once per connection.
 * TypeORM never names a statement; measured, names alone are worth a third of the throughput of the hot path.
 */
export class NamedStatementClient extends pg.Client {
  private gathering = false;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    // Where the server ends a connection in the packet that completes it, no one who asked for it listens yet, and an
    // error nobody listens to ends the process. Whoever uses the connection is told by the next statement.
    this.on('error', () => undefined);
  }

  // `pg` declares a dozen overloads of `query`; only the one TypeORM uses is changed, all others pass through.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  override query(...args: any[]): any {
    this.gather();
    const [text, values] = args as [unknown, unknown];
    if (typeof text === 'string' && Array.isArray(values) && values.length > 0) {
      const name = nameOf(text);
      if (name) args.splice(0, 2, { name, text, values });
    }
    return super.query(...(args as Parameters<pg.Client['query']>));
  }

  /**
   * Statements that are made before anybody waits travel as one packet: writing to sockets is a quarter of what a job costs
   * Node, and each packet wakes a server process.
   */
  private gather(): void {
    if (this.gathering) return;
    this.gathering = true;
    const { stream } = (this as unknown as { connection: { stream: Socket } }).connection;
    stream.cork();
    process.nextTick(() => {
      this.gathering = false;
      stream.uncork();
    });
  }
}

/**
 * Statements are short and prepared: planning one anew for its parameters costs more than it can win (a look-up of four
 * index entries took 270 µs, 60 µs with its plan kept), and compiling one never pays. A plan made while a table was all but
 * empty would read it whole for ever after; every look-up has its index, so those are preferred from the start.
 */
const SETTINGS = '-c timezone=UTC -c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off';

export interface ConnectionExtras {
  Client: typeof pg.Client;
  pipeline: boolean;
  options: string;
  max: number;
  application_name: string;
}

/**
 * What a host passes as `extra` to its TypeORM `postgres` data source: prepared statements, pipelining, and the
 * unprivileged role on every connection whatever user the URL names.
 *
 * @example
 * TypeOrmModule.forRoot({ type: 'postgres', url, extra: connectionExtras({ poolSize: 10 }) })
 */
export function connectionExtras(options: { poolSize?: number; role?: string } = {}): ConnectionExtras {
  return {
    Client: NamedStatementClient,
    pipeline: true,
    options: `-c role=${options.role ?? APP_ROLE} ${SETTINGS}`,
    max: options.poolSize ?? 10,
    application_name: 'fieldsmith',
  };
}
