import type { EntityManager } from 'typeorm';
import type { ErrorDetail, Json } from '#libs/common';
import type { Pipeline } from '../pipelines/pipeline.js';
import { relatedIds } from '../values/value-problem.js';

/** Values of one record to be saved, and those it has. */
export interface NewValues {
  given: Record<string, Json>;
  current?: Record<string, Json>;
}

const FIND = `
  SELECT w.pipeline_id, w.id FROM jsonb_to_recordset($2::jsonb) AS w(pipeline_id text, id text)
   WHERE EXISTS (SELECT FROM records r WHERE r.tenant_id = $1 AND r.id = w.id AND r.pipeline_id = w.pipeline_id)`;

interface Target {
  /** Which of the records, and which field. */
  index: number;
  slug: string;
  pipeline_id: string;
  id: string;
}

/**
 * Errors of relations that point at no record of their pipeline, by the index of the record; one query for all. What a
 * record points at already is not looked at again, so that the removal of one record does not lock others.
 */
export async function missingTargets(
  em: EntityManager,
  tenantId: string,
  pipeline: Pipeline,
  records: NewValues[],
): Promise<Map<number, ErrorDetail[]>> {
  const targets = records.flatMap((record, index) => newTargets(pipeline, record, index));
  if (targets.length === 0) return new Map();
  const wanted = targets.map(({ pipeline_id, id }) => ({ pipeline_id, id }));
  const rows = await em.query<{ pipeline_id: string; id: string }[]>(FIND, [
    tenantId,
    JSON.stringify(wanted),
  ]);
  const found = new Set(rows.map((row) => `${row.pipeline_id} ${row.id}`));
  const errors = new Map<number, ErrorDetail[]>();
  for (const target of targets) {
    if (found.has(`${target.pipeline_id} ${target.id}`)) continue;
    const detail = {
      path: `data.${target.slug}`,
      message: `There is no record ${target.id} in the related pipeline.`,
    };
    errors.set(target.index, [...(errors.get(target.index) ?? []), detail]);
  }
  return errors;
}

function newTargets(pipeline: Pipeline, { given, current = {} }: NewValues, index: number): Target[] {
  return pipeline.fields
    .filter(({ fieldType, slug }) => fieldType === 'relation' && Object.hasOwn(given, slug))
    .flatMap(({ slug, options }) => {
      const known = new Set(relatedIds(current[slug]));
      const ids = relatedIds(given[slug]).filter((id) => !known.has(id));
      return ids.map((id) => ({ index, slug, pipeline_id: options.pipeline_id ?? '', id }));
    });
}
