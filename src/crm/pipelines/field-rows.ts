import { InvalidInputError } from '#libs/common';
import type { EntityManager } from 'typeorm';
import type { CrmField } from './pipeline.js';

const ADD = `
  INSERT INTO pipeline_fields (tenant_id, pipeline_id, slug, name, field_type, required, sensitive, visible_to, options, position)
  SELECT $1, $2, f.slug, f.name, f."fieldType", f.required, f.sensitive, f."visibleTo", f.options,
         f.n + (SELECT coalesce(max(position), 0) FROM pipeline_fields WHERE tenant_id = $1 AND pipeline_id = $2)
    FROM jsonb_to_recordset($3::jsonb)
         AS f(slug text, name text, "fieldType" text, required boolean, sensitive boolean, "visibleTo" text[], options jsonb,
              n int)`;
const CHANGE = `
  UPDATE pipeline_fields SET name = $4, field_type = $5, required = $6, sensitive = $7, options = $8, visible_to = $9
   WHERE tenant_id = $1 AND pipeline_id = $2 AND slug = $3`;
const REMOVE = 'DELETE FROM pipeline_fields WHERE tenant_id = $1 AND pipeline_id = $2 AND slug = $3';
const LOCK = `
  SELECT 1 FROM pipeline_fields
   WHERE tenant_id = $1 AND pipeline_id = $2 AND ($3::text IS NULL OR slug = $3) ORDER BY slug FOR UPDATE`;
const KNOWN_PIPELINES = 'SELECT id FROM pipelines WHERE tenant_id = $1 AND id = ANY($2)';

/** Makes sure that what relations point into is there. @throws InvalidInputError */
export async function requireTargets(
  em: EntityManager,
  tenantId: string,
  fields: CrmField[],
  prefixOf: (n: number) => string,
): Promise<void> {
  const targets = fields.map(({ options }) => options.pipeline_id);
  if (targets.every((target) => target === undefined)) return;
  const rows = await em.query<{ id: string }[]>(KNOWN_PIPELINES, [tenantId, targets.filter(Boolean)]);
  const known = new Set(rows.map(({ id }) => id));
  const errors = targets.flatMap((target, n) =>
    target === undefined || known.has(target)
      ? []
      : [{ path: `${prefixOf(n)}options.pipeline_id`, message: 'There is no such pipeline.' }],
  );
  if (errors.length > 0) throw new InvalidInputError(errors);
}

export async function insertFields(
  em: EntityManager,
  tenantId: string,
  pipelineId: string,
  fields: CrmField[],
): Promise<void> {
  const rows = fields.map((field, index) => ({ ...field, n: index + 1 }));
  await em.query(ADD, [tenantId, pipelineId, JSON.stringify(rows)]);
}

export async function updateField(
  em: EntityManager,
  tenantId: string,
  pipelineId: string,
  field: CrmField,
): Promise<void> {
  const { slug, name, fieldType, required, sensitive, visibleTo = null } = field;
  const options = JSON.stringify(field.options);
  const address = [tenantId, pipelineId, slug];
  await em.query(CHANGE, [...address, name, fieldType, required, sensitive, options, visibleTo]);
}

export async function deleteField(
  em: EntityManager,
  tenantId: string,
  pipelineId: string,
  slug: string,
): Promise<void> {
  await em.query(REMOVE, [tenantId, pipelineId, slug]);
}

/**
 * Locks one field or all fields of a pipeline that are to be removed. Storing an AI value locks its field first of all,
 * so this comes before anything else of the removal.
 */
export async function lockFields(
  em: EntityManager,
  tenantId: string,
  pipelineId: string,
  slug?: string,
): Promise<void> {
  await em.query(LOCK, [tenantId, pipelineId, slug ?? null]);
}
