import type { TestDatabase } from './database.js';

/** A row of the ledger, money in nano-USD. */
export interface LedgerRow {
  field: string | null;
  operation: string;
  n: number;
  entry: string;
  outcome: string;
  cost: number;
  hold: number;
  tokens: number;
}

/** The ledger of a tenant in the order it was written. */
export function ledgerOf(database: TestDatabase, tenantId: string): Promise<LedgerRow[]> {
  return database.sql<LedgerRow>(
    `SELECT field, operation, n, entry, outcome, cost_nano::float8 AS cost, hold_nano::float8 AS hold,
            (input_tokens + output_tokens)::float8 AS tokens
       FROM ai_ledger WHERE tenant_id = $1 ORDER BY settled_at, n`,
    [tenantId],
  );
}

/** What is still held in the budgets and the settlements that wait: both must be nothing once all calls have ended. */
export async function heldOf(database: TestDatabase, tenantId: string): Promise<number> {
  const [row] = await database.sql<{ held: number }>(
    `SELECT count(*)::int AS held FROM ai_holds WHERE tenant_id = $1 AND state = 'held'`,
    [tenantId],
  );
  return row!.held;
}
