import { Injectable } from '@nestjs/common';
import { ValueSight } from '#libs/ai-fields';
import { NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import type { PageQuery } from '../../config/page-query.js';
import { PipelineCatalog } from '../pipelines/pipeline-catalog.js';
import { findRecord } from './find-record.js';
import { readFilter } from './record-filter.js';
import type { RecordRow } from './record-rows.js';
import { RecordViews, type RecordView } from './record-views.js';

/** In the order they were added. Of a filter, a plain value must be among those named and a list must hold all of them. */
const LIST = `
  SELECT id, pipeline_id, data, version, created_at, updated_at FROM records r
   WHERE tenant_id = $1 AND pipeline_id = $2 AND id > $3
     AND NOT EXISTS (
       SELECT FROM jsonb_each($4::jsonb) f
        WHERE NOT CASE jsonb_typeof(r.data->f.key)
                    WHEN 'array' THEN r.data->f.key @> f.value
                    ELSE f.value @> jsonb_build_array(coalesce(r.data->f.key, 'null')) END)
   ORDER BY id LIMIT $5`;

/** Reads records for people. */
@Injectable()
export class RecordReader {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly catalog: PipelineCatalog,
    private readonly views: RecordViews,
    private readonly sights: ValueSight,
  ) {}

  /** @throws NotFoundError */
  read(principal: Principal, recordId: string): Promise<RecordView> {
    const { tenantId } = principal;
    return this.tenants.snapshot(tenantId, async (em) => {
      const found = await findRecord(em, this.catalog, tenantId, recordId);
      if (!found) throw new NotFoundError('record', recordId);
      const [view] = await this.views.show(em, principal, found.pipeline, [found.row]);
      return view as RecordView;
    });
  }

  /**
   * A page of a pipeline's records and one more where there are more.
   *
   * @throws NotFoundError, InvalidInputError; FieldNotVisibleError, 403, for a filter by what the principal may not see.
   */
  list(principal: Principal, pipelineId: string, page: PageQuery): Promise<RecordView[]> {
    const { tenantId } = principal;
    return this.tenants.snapshot(tenantId, async (em) => {
      const pipeline = await this.catalog.find(em, tenantId, pipelineId);
      if (!pipeline) throw new NotFoundError('pipeline', pipelineId);
      await this.sights.requireFilter(em, principal, pipeline, [...page.filter.keys()]);
      const filter = JSON.stringify(readFilter(pipeline, page.filter));
      const parameters = [tenantId, pipelineId, page.after ?? '', filter, page.limit + 1];
      const rows = await em.query<RecordRow[]>(LIST, parameters);
      return this.views.show(em, principal, pipeline, rows);
    });
  }
}
