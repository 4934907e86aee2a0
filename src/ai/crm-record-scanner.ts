import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import type { RecordPage, RecordScanner } from '#libs/host';
import { PipelineCatalog } from '../crm/pipelines/pipeline-catalog.js';
import type { RecordRow } from '../crm/records/record-rows.js';
import { RelationLabels } from '../crm/records/relation-labels.js';

const SCAN = `
  SELECT id, pipeline_id, data, version, created_at, updated_at FROM records r
   WHERE tenant_id = $1 AND pipeline_id = $2 AND id > $3
     AND NOT EXISTS (SELECT FROM jsonb_each($4::jsonb) f WHERE coalesce(r.data->f.key, 'null') <> f.value)
   ORDER BY id LIMIT $5`;

/** The port through which the plugin goes over all records of a pipeline, in the order they were made. */
@Injectable()
export class CrmRecordScanner implements RecordScanner {
  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly labels: RelationLabels,
  ) {}

  async scan(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    page: { after?: string; limit: number; filter?: Record<string, Json> },
  ): Promise<RecordPage> {
    const pipeline = await this.catalog.find(em, tenantId, pipelineId);
    if (!pipeline) return { records: [] };
    const { after = '', limit, filter = {} } = page;
    const parameters = [tenantId, pipelineId, after, JSON.stringify(filter), limit + 1];
    const rows = await em.query<RecordRow[]>(SCAN, parameters);
    const shown = rows.slice(0, limit);
    const records = await this.labels.toHostRecords(em, tenantId, pipeline, shown);
    return { records, next: rows.length > limit ? shown.at(-1)?.id : undefined };
  }
}
