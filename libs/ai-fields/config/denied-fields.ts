import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { PIPELINE_SCHEMAS, type PipelineSchemas, type Principal } from '#libs/host';
import { becomesDenied } from '#libs/prompt-language';
import type { TenantSettings } from '#libs/tenants';
import { CompiledConfigs } from './compiled-configs.js';
import { fieldsMadeFrom } from './compile-pipeline.js';
import { FieldPurge } from './field-purge.js';

/** Fields that come onto the tenant's deny list. */
@Injectable()
export class DeniedFields {
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly configs: CompiledConfigs,
    private readonly purge: FieldPurge,
  ) {}

  /**
   * What was made from a field that may be in no prompt any more goes, as where it is marked sensitive. Pipelines without an
   * AI field are looked at too: drafts are tried on their records.
   */
  async settingsChanged(
    em: EntityManager,
    { tenantId }: Principal,
    before: TenantSettings,
    after: TenantSettings,
  ): Promise<void> {
    if (after.deniedFields === before.deniedFields) return;
    const isNew = ({ slug }: { slug: string }) =>
      becomesDenied(slug, before.deniedFields, after.deniedFields);
    for (const id of await this.schemas.ids(em, tenantId)) {
      const pipeline = await this.schemas.read(em, tenantId, id);
      if (!pipeline?.fields.some(isNew)) continue;
      const compiled = await this.configs.of(em, tenantId, pipeline, before);
      for (const { slug } of pipeline.fields.filter(isNew))
        await this.purge.forget(em, tenantId, id, slug, fieldsMadeFrom(compiled, slug));
    }
  }
}
