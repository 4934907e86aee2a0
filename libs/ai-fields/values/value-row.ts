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
  outcome: string | null;
  sources: string[];
  /** Whether a person's value stands in its place. */
  overridden: boolean;
  override: Json;
  override_sources: string[] | null;
  feedback: string | null;
  feedback_comment: string | null;
}

/** The columns of a {@link ValueRow}, from `ai_values v`. */
export const VALUE_COLUMNS = `v.record_id, v.field, v.revision, v.generated, v.generated_at, v.execution_id, v.fingerprint,
  v.inputs_hash, v.prompt_hash, v.config_hash, v.model, v.cost_nano, v.outcome, v.sources, v.override IS NOT NULL AS overridden,
  v.override, v.override_sources, v.feedback, v.feedback_comment`;

/** What is shown of a value, as JSON tells it: what its state is derived from, and how it was made. */
export interface ShownValueRow extends Pick<
  ValueRow,
  | 'generated'
  | 'execution_id'
  | 'inputs_hash'
  | 'prompt_hash'
  | 'config_hash'
  | 'model'
  | 'cost_nano'
  | 'sources'
  | 'overridden'
  | 'override_sources'
  | 'feedback'
> {
  generated_at: string | null;
}

/** The columns of a {@link ShownValueRow}; the generated value only where a person's own stands in its place. */
export const SHOWN_COLUMNS = `CASE WHEN v.override IS NOT NULL THEN v.generated END AS generated, v.generated_at, v.execution_id,
  v.inputs_hash, v.prompt_hash, v.config_hash, v.model, v.cost_nano::text, v.sources, v.override IS NOT NULL AS overridden,
  v.override_sources, v.feedback`;

/** The AI values of some records. */
export async function readValues(
  em: EntityManager,
  tenantId: string,
  recordIds: readonly string[],
): Promise<ValueRow[]> {
  return em.query<ValueRow[]>(
    `SELECT ${VALUE_COLUMNS} FROM ai_values v WHERE v.tenant_id = $1 AND v.record_id = ANY ($2)`,
    [tenantId, recordIds],
  );
}

/** What a value was made from: a person's own words from nothing, a restored one from what it was made from then. */
export function sourcesOfValue(row: Pick<ValueRow, 'overridden' | 'override_sources' | 'sources'>): string[] {
  return row.overridden ? (row.override_sources ?? []) : row.sources;
}

/** Whether the field's fallback stands there: nothing was generated, and no person wrote anything. */
export function isFallback({ outcome, overridden }: Pick<ValueRow, 'outcome' | 'overridden'>): boolean {
  return outcome === 'fallback' && !overridden;
}

/** Those of the records for which the same is true of one field. */
export async function recordsWithFallback(
  em: EntityManager,
  tenantId: string,
  field: string,
  recordIds: readonly string[],
): Promise<Set<string>> {
  const rows = await em.query<{ record_id: string }[]>(
    `SELECT record_id FROM ai_values
      WHERE tenant_id = $1 AND field = $2 AND record_id = ANY ($3) AND outcome = 'fallback' AND override IS NULL`,
    [tenantId, field, recordIds],
  );
  return new Set(rows.map((row) => row.record_id));
}
