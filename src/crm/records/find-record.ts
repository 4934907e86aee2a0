import type { EntityManager } from 'typeorm';
import { isId } from '#libs/common';
import type { Pipeline } from '../pipelines/pipeline.js';
import type { PipelineCatalog } from '../pipelines/pipeline-catalog.js';
import type { RecordRow } from './record-rows.js';

const FIND = `
  SELECT r.id, r.pipeline_id, r.data, r.version, r.created_at, r.updated_at, p.version AS pipeline_version
    FROM records r JOIN pipelines p ON p.tenant_id = r.tenant_id AND p.id = r.pipeline_id
   WHERE r.tenant_id = $1 AND r.id = $2`;
/** The pipeline first, as everywhere: whoever changes its fields holds it while writing to its records. */
const LOCK = `${FIND} FOR KEY SHARE OF p FOR UPDATE OF r`;

interface FoundRow extends RecordRow {
  pipeline_version: string;
}

/** A record, and the pipeline as it was when the record was read. */
export interface FoundRecord {
  row: RecordRow;
  pipeline: Pipeline;
}

/** The record with its pipeline, or undefined where it is gone: one statement, unless the pipeline has changed. */
export async function findRecord(
  em: EntityManager,
  catalog: PipelineCatalog,
  tenantId: string,
  recordId: string,
  { forWriting = false } = {},
): Promise<FoundRecord | undefined> {
  if (!isId(recordId)) return undefined;
  const [row] = await em.query<FoundRow[]>(forWriting ? LOCK : FIND, [tenantId, recordId]);
  const pipeline = row && (await catalog.at(em, tenantId, row.pipeline_id, row.pipeline_version));
  return pipeline && { row, pipeline };
}
