import type { EntityManager } from 'typeorm';
import { newId, type Json } from '#libs/common';
import type { RecordRow } from './record-rows.js';

const INSERT = `
  INSERT INTO records (tenant_id, id, pipeline_id, data)
  SELECT $1, r.id, $2, r.data FROM jsonb_to_recordset($3::jsonb) AS r(id text, data jsonb)
  RETURNING id, version, created_at, updated_at`;

/** Adds records in one statement, however many; in the order of the values. */
export async function insertRecords(
  em: EntityManager,
  tenantId: string,
  pipelineId: string,
  values: Record<string, Json>[],
): Promise<RecordRow[]> {
  const added = values.map((data) => ({ id: newId(), data }));
  const rows = await em.query<Omit<RecordRow, 'data' | 'pipeline_id'>[]>(INSERT, [
    tenantId,
    pipelineId,
    JSON.stringify(added),
  ]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return added.map(({ id, data }) => ({ ...(byId.get(id) as RecordRow), pipeline_id: pipelineId, data }));
}
