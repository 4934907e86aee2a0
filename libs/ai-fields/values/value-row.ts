import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';

/** The plugin's own row for the value of a field of a record. */
export interface ValueRow {
  record_id: string;
  field: string;
  revision: string;
  generated: Json;
  generated_at: Date | null;
  execution_id: string | null;
  fingerprint: string | null;
  inputs_hash: string | null;
  prompt_hash: string | null;
  config_hash: string | null;
  model: string | null;
  cost_nano: string | null;
  sources: string[];
  /** Whether a person's value stands in its place. */
  overridden: boolean;
  override: Json;
  override_sources: string[] | null;
  feedback: string | null;
  feedback_comment: string | null;
}

const COLUMNS = `record_id, field, revision, generated, generated_at, execution_id, fingerprint, inputs_hash, prompt_hash,
  config_hash, model, cost_nano, sources, override IS NOT NULL AS overridden, override, override_sources, feedback, feedback_comment`;

/** The AI values of some records. */
export async function readValues(
  em: EntityManager,
  tenantId: string,
  recordIds: readonly string[],
): Promise<ValueRow[]> {
  return em.query<ValueRow[]>(
    `SELECT ${COLUMNS} FROM ai_values WHERE tenant_id = $1 AND record_id = ANY ($2)`,
    [tenantId, recordIds],
  );
}

/** What a value was made from: a person's own words from nothing, a restored one from what it was made from then. */
export function sourcesOfValue(row: ValueRow): string[] {
  return row.overridden ? (row.override_sources ?? []) : row.sources;
}
