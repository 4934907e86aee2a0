import type pg from 'pg';
import type { Statement } from './statement-log.js';

/** What a statement did. */
export interface Outcome {
  /** The class and code of the error it ended in. */
  error?: string;
  /** Rows that hold something. */
  rows: Record<string, unknown>[];
  /** Rows that were inserted, changed or deleted, in functions too. */
  touched: number;
}

const TOUCHED = `
  SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int AS touched
    FROM pg_stat_xact_all_tables WHERE schemaname = 'public'`;

/**
 * Runs a statement once more in a transaction that is rolled back.
 *
 * @param tenantId whose transaction it is to be; undefined where no tenant is set.
 */
export async function replay(client: pg.Client, statement: Statement, tenantId?: string): Promise<Outcome> {
  await client.query('BEGIN');
  try {
    if (tenantId !== undefined)
      await client.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
    const before = await touched(client);
    const answers = [await client.query<Record<string, unknown>>(statement.text, statement.values)].flat();
    const rows = answers.flatMap((answer) => answer.rows).filter(holdsSomething);
    return { rows, touched: (await touched(client)) - before };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { error: `${code} ${message}`, rows: [], touched: 0 };
  } finally {
    await client.query('ROLLBACK');
  }
}

async function touched(client: pg.Client): Promise<number> {
  return (await client.query<{ touched: number }>(TOUCHED)).rows[0]!.touched;
}

/** A sum over no rows is still a row: one of nulls and zeros. */
function holdsSomething(row: Record<string, unknown>): boolean {
  return !Object.values(row).every(isNothing);
}

function isNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isNothing);
  if (value !== null && typeof value === 'object' && !(value instanceof Date))
    return Object.values(value).every(isNothing);
  return value === null || value === false || value === '' || Number(value) === 0;
}
