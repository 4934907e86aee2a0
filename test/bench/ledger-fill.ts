import type { TestDatabase } from '../support/database.js';

/** Months that the rows are spread over, this one the last. */
export const LEDGER_MONTHS = 12;
const BATCH = 1_000_000;
const ROLL_UP_BATCH = 5_000;

/** Ten users, five fields of two pipelines and three models for each tenant; one call of fifty fails, one of ten is free. */
const FILL = `
  INSERT INTO ai_ledger (tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, record_id, field, operation,
    provider, model, key_source, price_id, hold_nano, cost_nano, input_tokens, output_tokens, duration_ms, outcome, settled_at)
  SELECT t.id, at, gen_random_uuid(), CASE WHEN c % 50 = 0 THEN 2 ELSE 1 END, 1, e.entry, 'user-' || u % 10,
         'pipeline-' || u % 2, 'record-' || i, 'field_' || u % 5, 'field_generation',
         CASE WHEN u % 3 = 0 THEN 'anthropic' ELSE 'openai' END, (ARRAY['claude-haiku-4-5', 'gpt-4o-mini', 'gpt-4o'])[u % 3 + 1],
         'tenant', 'price', 200000, CASE e.entry WHEN 'settled' THEN 1000 + u * 37 ELSE 0 END,
         CASE e.entry WHEN 'settled' THEN 300 + u ELSE 0 END, CASE e.entry WHEN 'settled' THEN 20 + u % 200 ELSE 0 END,
         (300 * exp(2 * random()))::int, e.outcome, at
    FROM generate_series($2::int, $3::int) i
    CROSS JOIN LATERAL (SELECT ($1::text[])[i % cardinality($1::text[]) + 1] AS id, i / cardinality($1::text[]) AS c) t
    CROSS JOIN LATERAL (SELECT $4::timestamptz + ($5::timestamptz - $4::timestamptz) * (i::float8 / $6) AS at, (random() * 1000)::int AS u) x
    CROSS JOIN LATERAL (SELECT CASE WHEN c % 10 = 3 THEN 'free' WHEN c % 50 = 7 THEN 'released' ELSE 'settled' END AS entry,
      CASE WHEN c % 10 = 3 THEN 'cached' WHEN c % 50 = 7 THEN 'provider_server' ELSE 'answered' END AS outcome) e`;

/** Fills the ledger with calls of the last months, the tenants in turn, in the order of time. */
export async function fillLedger(
  database: TestDatabase,
  tenants: readonly string[],
  rows: number,
): Promise<void> {
  const now = new Date();
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - LEDGER_MONTHS + 1, 1));
  await database.sql('SELECT ai_ensure_ledger_months($1::date, $2)', [from, LEDGER_MONTHS]);
  for (let first = 0; first < rows; first += BATCH) {
    const last = Math.min(rows, first + BATCH) - 1;
    await database.sql(FILL, [tenants, first, last, from, now, rows]);
  }
}

export async function rollUpAll(database: TestDatabase, tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) {
    for (let rows = ROLL_UP_BATCH; rows >= ROLL_UP_BATCH;) {
      const sql = 'SELECT ai_roll_up_ledger($1, $2) AS rows';
      rows = (await database.sql<{ rows: number }>(sql, [tenant, ROLL_UP_BATCH]))[0]!.rows;
    }
  }
}
