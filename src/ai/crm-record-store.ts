import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isId, type Json } from '#libs/common';
import type { HostRecord, RecordStore } from '#libs/host';
import { PipelineCatalog } from '../crm/pipelines/pipeline-catalog.js';
import { findRecord } from '../crm/records/find-record.js';
import { RelationLabels } from '../crm/records/relation-labels.js';

/**
 * Writes one key of one record. The field is locked first: where it is being removed this waits, and then finds no
 * field, so that no value outlives its field.
 */
const STORE = `
  WITH field AS MATERIALIZED (
    SELECT f.pipeline_id FROM pipeline_fields f
      JOIN records r ON r.tenant_id = f.tenant_id AND r.pipeline_id = f.pipeline_id
     WHERE f.tenant_id = $1 AND r.id = $2 AND f.slug = $3 FOR KEY SHARE OF f)
  UPDATE records r SET data = CASE WHEN $4::jsonb = 'null' THEN r.data - $3::text
                                   ELSE jsonb_set(r.data, ARRAY[$3::text], $4::jsonb, true) END
    FROM field WHERE r.tenant_id = $1 AND r.id = $2 AND r.pipeline_id = field.pipeline_id
  RETURNING r.id`;

/** The port through which the plugin reads and writes records of this host. */
@Injectable()
export class CrmRecordStore implements RecordStore {
  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly labels: RelationLabels,
  ) {}

  async read(
    em: EntityManager,
    tenantId: string,
    recordId: string,
    { lock = false } = {},
  ): Promise<HostRecord | undefined> {
    const found = await findRecord(em, this.catalog, tenantId, recordId, { forWriting: lock });
    if (!found) return undefined;
    const [record] = await this.labels.toHostRecords(em, tenantId, found.pipeline, [found.row]);
    return record;
  }

  async storeValue(
    em: EntityManager,
    tenantId: string,
    recordId: string,
    field: string,
    value: Json,
  ): Promise<boolean> {
    if (!isId(recordId)) return false;
    const parameters = [tenantId, recordId, field, JSON.stringify(value)];
    const [rows] = await em.query<[{ id: string }[]]>(STORE, parameters);
    return rows.length > 0;
  }
}
