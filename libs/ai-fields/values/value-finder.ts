import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { requireShown, type FieldSight } from '#libs/access';
import { NotFoundError } from '#libs/common';
import { RECORD_STORE, type HostRecord, type Principal, type RecordStore } from '#libs/host';
import { TenantSettingsStore } from '#libs/tenants';
import type { CompiledField } from '../config/compile-field.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { CompiledConfigs } from '../config/compiled-configs.js';
import { shownView } from '../visibility/record-sight.js';
import { ValueSight } from '../visibility/value-sight.js';
import type { ValueAddress } from './value-edits.js';
import { AiValueViews, type AiValueView } from './value-views.js';

/** An AI value that somebody acts on, with what is needed for it. */
export interface FoundValue {
  compiled: CompiledPipeline;
  field: CompiledField;
  record: HostRecord;
  address: ValueAddress;
  sight: FieldSight;
}

/** Finds the AI values that people act on: only those that they may see. */
@Injectable()
export class ValueFinder {
  constructor(
    @Inject(RECORD_STORE) private readonly records: RecordStore,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly views: AiValueViews,
    private readonly sights: ValueSight,
  ) {}

  /** @throws NotFoundError; FieldNotVisibleError, 403; InvalidInputError where the configuration works no more. */
  async find(em: EntityManager, principal: Principal, recordId: string, slug: string): Promise<FoundValue> {
    const { tenantId } = principal;
    const record = await this.records.read(em, tenantId, recordId);
    if (!record) throw new NotFoundError('record', recordId);
    const settings = await this.settings.read(em, tenantId);
    const compiled = await this.configs.at(em, tenantId, record.pipelineId, record.pipelineVersion, settings);
    const broken = compiled?.broken.get(slug);
    if (broken) throw broken;
    const field = compiled?.fields.get(slug);
    if (!compiled || !field) throw new NotFoundError('AI field', slug);
    const sight = await this.sights.ofRecord(em, principal, compiled, recordId);
    requireShown(sight.hidden, [slug]);
    return {
      compiled,
      field,
      record,
      address: { pipelineId: record.pipelineId, recordId, field: slug },
      sight,
    };
  }

  async view(
    em: EntityManager,
    tenantId: string,
    { compiled, record, address, sight }: FoundValue,
  ): Promise<AiValueView> {
    const views = await this.views.describeCompiled(em, tenantId, compiled, [record]);
    return shownView(views.get(record.id)![address.field]!, address.field, sight);
  }
}
