import { isDeepStrictEqual } from 'node:util';
import { jest } from '@jest/globals';
import type pg from 'pg';
import { SYSTEM_FUNCTIONS } from '#libs/tenants';
import { AppConnections } from '../support/app-connections.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { scheduleHasBegun } from '../support/maintenance.js';
import { Random } from '../support/random.js';
import { setStage, type Stage } from '../support/stage.js';
import { Ids } from './ids.js';
import { MOVES } from './moves.js';
import { replay, type Outcome } from './replay.js';
import { scriptFor, steadyScriptFor } from './script.js';
import { Side } from './side.js';
import { loggingPostgres, statementsSent, type Statement } from './statement-log.js';

jest.setTimeout(300_000);

/** How often a statement is run again, each time with other parameters. */
const SAMPLES = 3;
/** What opens and ends transactions and sets up a connection: no statement about rows. */
const FRAMES = /^(BEGIN|COMMIT|ROLLBACK|START TRANSACTION|SAVEPOINT|RELEASE|SET|LISTEN)\b/i;
/** What Postgres calls a right that is missing, and a row that a policy refuses. */
const REFUSED = '42501';
/** A row that is there already: an insert that was let through to it. */
const IS_THERE = '23505';

const TENANT_TABLES = `
  SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT a.attisdropped
   ORDER BY 1`;
/** Tables that no statement names, because functions alone reach them. */
const IN_FUNCTIONS = ['ai_budget_alerts'];

/** Functions that set the tenant they are given themselves; whoever calls one has named the tenant. */
const SETS_ITS_TENANT: Readonly<Record<string, string>> = {
  ai_move_settlements:
    'Moves the settlements of a tenant in one round trip, without a transaction around it.',
  ai_place_hold: 'Checks and holds in one round trip, without a transaction around it.',
  ai_place_holds: 'The same for several calls at once.',
  ai_raise_budget_alerts: 'Looks at the limits of a tenant in one round trip, where a call is refused.',
};

/** Statements that answer without a tenant what no other database would, and why they may. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'SELECT pg_advisory_unlock(': 'A lock of the server, which one of two databases can hold.',
  'SELECT pg_current_snapshot()': 'The transactions of the server that have ended, which are no rows.',
  'pg_snapshot_xmin(pg_current_snapshot())': 'The oldest transaction of the server, which is no row.',
  ...Object.fromEntries(
    Object.entries(SYSTEM_FUNCTIONS).map(([signature, reason]) => [callOf(signature), reason]),
  ),
  ...Object.fromEntries(Object.entries(SETS_ITS_TENANT).map(([name, reason]) => [callOf(name), reason])),
};

describe('every statement of the product', () => {
  let stage: Stage;
  let side: Side;
  let empty: TestDatabase;
  let connections: AppConnections[] = [];
  let client: pg.Client;
  let inEmpty: pg.Client;
  let other: string;
  let statements: Map<string, Statement[]>;

  beforeAll(async () => {
    const postgres = await loggingPostgres();
    stage = await setStage({ AI_RETRY_BASE_MS: '1' }, postgres.database);
    const migrated = statementsSent(postgres).length;
    await stage.restart('stop', { PROVIDER_URL_ALLOWLIST: `${stage.providerUrl}/v1` });
    side = await Side.open(stage, 'a');
    await useEverything();
    statements = samplesOf(statementsSent(postgres).slice(migrated));
    other = (await stage.tenant()).tenantId;
    empty = await createDatabase();
    connections = [await AppConnections.open(stage.database, 1), await AppConnections.open(empty, 1)];
    [client, inEmpty] = connections.map(({ first }) => first) as [pg.Client, pg.Client];
  });

  afterAll(async () => {
    await Promise.all(connections.map((each) => each.close()));
    side?.leave();
    await stage.close();
    await empty?.drop();
  });

  /** Every operation of the API, the work that follows from it, and every job of the maintenance. */
  async function useEverything(): Promise<void> {
    stage.simulator.script(steadyScriptFor([side]));
    await side.settleIn();
    stage.simulator.script(scriptFor([side]));
    for (const [n, [operation, move]] of Object.entries(MOVES).entries()) {
      const dice = new Random(n);
      const { path, body, headers } = move(side, await Ids.of(stage.database, side, side, false, dice), dice);
      await side.api.call(operation.split(' ')[0]!, path, body, headers);
    }
    stage.simulator.release();
    await stage.database.sql('DELETE FROM ai_maintenance');
    await stage.restart('stop');
    await scheduleHasBegun(stage.database, side.api.at(stage.product.url));
  }

  function samplesOf(sent: readonly Statement[]): Map<string, Statement[]> {
    const samples = new Map<string, Statement[]>();
    for (const statement of sent) {
      if (FRAMES.test(statement.text)) continue;
      samples.set(statement.text, [...(samples.get(statement.text) ?? []), statement].slice(-SAMPLES));
    }
    return samples;
  }

  it('is known: they are many, and do what they do for the tenant that sent them', async () => {
    const doing = [];
    for (const [text, samples] of statements) {
      const outcomes = [];
      for (const sample of samples) outcomes.push(await replay(client, sample, side.api.tenantId));
      if (outcomes.some(doesSomething)) doing.push(text);
    }
    expect(statements.size).toBeGreaterThan(150);
    expect(doing.length).toBeGreaterThan(75);
    const tables = await stage.database.sql<{ name: string }>(TENANT_TABLES);
    const named = [...statements.keys()].join('\n');
    const unnamed = tables.map(({ name }) => name).filter((name) => !named.includes(name));
    expect(unnamed).toEqual(IN_FUNCTIONS);
  });

  it('that sets a tenant itself is a function of the list', async () => {
    const found = await stage.database.sql<{ name: string }>(
      `SELECT DISTINCT proname AS name FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prosrc LIKE '%set_config(''app.tenant_id''%' ORDER BY 1`,
    );
    expect(found.map(({ name }) => name)).toEqual(Object.keys(SETS_ITS_TENANT));
  });

  it.each([
    ['no tenant set', () => undefined],
    ['an empty one', () => ''],
    ['another one', () => other],
  ])('finds and changes nothing with %s, as in an empty database', async (_, tenant) => {
    const found: object[] = [];
    for (const [text, samples] of statements) {
      if (Object.keys(EXCEPTIONS).some((part) => text.includes(part))) continue;
      for (const sample of samples) {
        const outcome = await replay(client, sample, tenant());
        if (isNothing(outcome)) continue;
        if (isDeepStrictEqual(outcome, await replay(inEmpty, sample, tenant()))) continue;
        found.push({ text, values: sample.values, ...outcome });
        break;
      }
    }
    expect(found).toEqual([]);
  });
});

/** What a call of a function looks like in a statement. */
function callOf(signature: string): string {
  return `${signature.split('(')[0]!}(`;
}

function isNothing({ error, rows, touched }: Outcome): boolean {
  return error === undefined ? rows.length === 0 && touched === 0 : error.startsWith(REFUSED);
}

function doesSomething({ error, rows, touched }: Outcome): boolean {
  return rows.length > 0 || touched > 0 || (error?.startsWith(IS_THERE) ?? false);
}
