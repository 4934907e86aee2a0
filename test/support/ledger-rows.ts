import { randomUUID } from 'node:crypto';
import type pg from 'pg';

/** A row of the ledger as a settlement writes it, with what does not matter left out. */
export interface TestEntry {
  heldAt: string;
  jobId?: string;
  attempt?: number;
  n?: number;
  entry?: 'settled' | 'released' | 'unconfirmed' | 'unconfirmed_released' | 'free';
  principal?: string;
  pipeline?: string | null;
  field?: string | null;
  operation?: string;
  provider?: string;
  model?: string;
  /** Nano-USD. */
  cost?: number | null;
  input?: number;
  output?: number;
  durationMs?: number | null;
  outcome?: string;
}

const INSERT = `
  INSERT INTO ai_ledger (tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, field, operation, provider, model,
    key_source, cost_nano, input_tokens, output_tokens, duration_ms, outcome)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'global', $13, $14, $15, $16, $17)`;

/** Writes a row in whatever transaction is open. */
export async function addEntry(
  client: Pick<pg.Client, 'query'>,
  tenantId: string,
  row: TestEntry,
): Promise<void> {
  const entry = row.entry ?? 'settled';
  await client.query(INSERT, [
    tenantId,
    row.heldAt,
    row.jobId ?? randomUUID(),
    row.attempt ?? 1,
    row.n ?? 1,
    entry,
    row.principal ?? 'ann',
    row.pipeline === undefined ? 'p' : row.pipeline,
    row.field === undefined ? 'summary' : row.field,
    row.operation ?? 'field_generation',
    row.provider ?? 'openai',
    row.model ?? 'gpt-4o-mini',
    row.cost === undefined ? 1_000 : row.cost,
    row.input ?? 10,
    row.output ?? 5,
    row.durationMs === undefined ? 100 : row.durationMs,
    row.outcome ?? (entry === 'settled' ? 'answered' : 'provider_server'),
  ]);
}
