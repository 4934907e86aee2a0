import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AiFieldConfigs, type Heir } from '#libs/ai-fields';
import type { Principal } from '#libs/host';
import { becomesDenied } from '#libs/prompt-language';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { labelField, mayLabel, type CrmField, type Pipeline } from './pipeline.js';
import { PipelineCatalog } from './pipeline-catalog.js';

/** What relations of any pipeline showed of a field as their label went into prompts of that pipeline. */
@Injectable()
export class LabelWithdrawal {
  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly configs: AiFieldConfigs,
    private readonly settings: TenantSettingsStore,
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

  /**
   * The field has a list from now on. Where it was the label, what was made of it is not for those who may not see it.
   *
   * @param pipeline as it was before.
   * @returns the AI fields of any pipeline that are to have a list of their own; the pipelines are locked.
   */
  async limit(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    { slug: label, visibleTo }: CrmField,
  ): Promise<{ pipeline: Pipeline; heirs: Heir[] }[]> {
    const { tenantId } = principal;
    const { deniedFields } = await this.settings.read(em, tenantId);
    if (!visibleTo || labelField(pipeline, deniedFields)?.slug !== label) return [];
    const relations = await this.catalog.relationsInto(em, tenantId, pipeline.id);
    const limited: { pipeline: Pipeline; heirs: Heir[] }[] = [];
    for (const {
      pipeline: { id },
      slug,
    } of relations) {
      const other = await this.catalog.forChanging(em, tenantId, id);
      const heirs = await this.configs.shownValuesLimited(em, principal, other, slug, visibleTo);
      limited.push({ pipeline: other, heirs });
    }
    return limited;
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
