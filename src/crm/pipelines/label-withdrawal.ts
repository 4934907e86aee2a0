import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AiFieldConfigs } from '#libs/ai-fields';
import type { Principal } from '#libs/host';
import { becomesDenied } from '#libs/prompt-language';
import type { TenantSettings } from '#libs/tenants';
import { mayLabel, type CrmField } from './pipeline.js';
import { PipelineCatalog } from './pipeline-catalog.js';

/** What relations of any pipeline showed of a field as their label went into prompts of that pipeline. */
@Injectable()
export class LabelWithdrawal {
  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly configs: AiFieldConfigs,
  ) {}

  /** The field may be shown as a label no more: nor may what was made from such labels be kept. */
  async withdraw(
    em: EntityManager,
    principal: Principal,
    pipelineId: string,
    field: CrmField,
  ): Promise<void> {
    if (!mayLabel(field)) return;
    for (const { pipeline, slug } of await this.catalog.relationsInto(em, principal.tenantId, pipelineId)) {
      await this.configs.shownValuesWithdrawn(em, principal, pipeline, slug);
    }
  }

  /** Fields on the tenant's deny list are no labels. */
  async settingsChanged(
    em: EntityManager,
    principal: Principal,
    before: TenantSettings,
    after: TenantSettings,
  ): Promise<void> {
    if (after.deniedFields === before.deniedFields) return;
    for (const id of await this.catalog.ids(em, principal.tenantId)) {
      const pipeline = await this.catalog.find(em, principal.tenantId, id);
      const denied = pipeline?.fields.filter(({ slug }) =>
        becomesDenied(slug, before.deniedFields, after.deniedFields),
      );
      for (const field of denied ?? []) await this.withdraw(em, principal, id, field);
    }
  }
}
