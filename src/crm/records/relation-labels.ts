import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import type { HostRecord } from '#libs/host';
import { TenantSettingsStore } from '#libs/tenants';
import { labelField, type CrmField, type Pipeline } from '../pipelines/pipeline.js';
import { PipelineCatalog } from '../pipelines/pipeline-catalog.js';
import { relatedIds } from '../values/value-problem.js';
import { knownValues, type RecordRow } from './record-rows.js';

/** The label of a record is its value of the field that `$3` names for its pipeline. */
const LABELS = `
  SELECT id, data->>($3::jsonb->>pipeline_id) AS label FROM records
   WHERE tenant_id = $1 AND id = ANY($2) AND $3::jsonb ? pipeline_id`;

/**
 * Rows as the plugin sees records: a relation is `{id, label}`. A label is the related record's first text, never
 * of a field that is sensitive, on the tenant's deny list or only for some roles, since labels go into prompts; where there
 * is none it is the id. A related record that is gone is left out.
 */
@Injectable()
export class RelationLabels {
  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly settings: TenantSettingsStore,
  ) {}

  async toHostRecords(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    rows: RecordRow[],
  ): Promise<HostRecord[]> {
    const relations = pipeline.fields.filter(({ fieldType }) => fieldType === 'relation');
    const ids = rows.flatMap(({ data }) => relations.flatMap(({ slug }) => relatedIds(data[slug])));
    const labels =
      ids.length > 0 ? await this.labels(em, tenantId, relations, ids) : new Map<string, string>();
    return rows.map((row) => {
      const values = knownValues(pipeline, row.data);
      for (const { slug } of relations) if (slug in values) values[slug] = labelled(values[slug], labels);
      return { id: row.id, pipelineId: pipeline.id, pipelineVersion: pipeline.version, values };
    });
  }

  private async labels(
    em: EntityManager,
    tenantId: string,
    relations: CrmField[],
    ids: string[],
  ): Promise<Map<string, string>> {
    const fields = await this.labelFields(em, tenantId, relations);
    const unique = [...new Set(ids)];
    const rows = await em.query<{ id: string; label: string | null }[]>(LABELS, [
      tenantId,
      unique,
      JSON.stringify(fields),
    ]);
    return new Map(rows.map(({ id, label }) => [id, label || id]));
  }

  private async labelFields(
    em: EntityManager,
    tenantId: string,
    relations: CrmField[],
  ): Promise<Record<string, string | null>> {
    const { deniedFields } = await this.settings.read(em, tenantId);
    const labelFields: Record<string, string | null> = {};
    for (const target of new Set(relations.map(({ options }) => options.pipeline_id ?? ''))) {
      const pipeline = await this.catalog.find(em, tenantId, target);
      labelFields[target] = (pipeline && labelField(pipeline, deniedFields)?.slug) ?? null;
    }
    return labelFields;
  }
}

function labelled(value: Json | undefined, labels: ReadonlyMap<string, string>): Json {
  const found = relatedIds(value).flatMap((id) => {
    const label = labels.get(id);
    return label === undefined ? [] : [{ id, label }];
  });
  return Array.isArray(value) ? found : (found[0] ?? null);
}
