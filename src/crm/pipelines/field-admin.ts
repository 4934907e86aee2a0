import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog, requireShown, unseenFields } from '#libs/access';
import { AiFieldConfigs, RevealGuard, type Heir } from '#libs/ai-fields';
import { InvalidInputError, NotFoundError, type ErrorDetail } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import type { FieldChangesDto, FieldDto } from '../dto/pipeline.dto.js';
import { definitionErrors, newFields } from './field-definitions.js';
import { deleteField, insertFields, lockFields, requireTargets, updateField } from './field-rows.js';
import { MAX_FIELDS, typeChangeErrors } from './field-rules.js';
import { LabelWithdrawal } from './label-withdrawal.js';
import { fieldOf, type CrmField, type Pipeline } from './pipeline.js';
import { PipelineCatalog } from './pipeline-catalog.js';
import { PipelineViews, showField, type FieldView } from './pipeline-views.js';

const FORGET_VALUES =
  'UPDATE records SET data = data - $3::text WHERE tenant_id = $1 AND pipeline_id = $2 AND data ? $3';

const alone = () => '';

/** The fields of a pipeline: add, change, remove; each in one transaction under the pipeline's lock. */
@Injectable()
export class FieldAdmin {
  // The collaborators are who must know of a change.
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly catalog: PipelineCatalog,
    private readonly views: PipelineViews,
    private readonly configs: AiFieldConfigs,
    private readonly reveals: RevealGuard,
    private readonly audit: AuditLog,
    private readonly labels: LabelWithdrawal,
  ) {}

  /** @throws InvalidInputError, NotFoundError; FieldNotVisibleError, 403. */
  add(principal: Principal, pipelineId: string, dto: FieldDto): Promise<FieldView> {
    return this.changing(principal, pipelineId, async (em, before) => {
      const [field] = newFields([dto], new Set(before.fields.map(({ slug }) => slug)), alone) as [CrmField];
      requireRoom(before);
      await requireTargets(em, principal.tenantId, [field], alone);
      await insertFields(em, principal.tenantId, pipelineId, [field]);
      await this.record(em, principal, pipelineId, undefined, field);
      const after = { ...before, fields: [...before.fields, field] };
      const warnings =
        dto.ai_config && (await this.configs.save(em, principal, after, field.slug, dto.ai_config));
      if (!dto.ai_config) await this.configs.pipelineChanged(em, principal, after);
      await this.reveals.requireNoReveal(em, principal, before, after, field.slug);
      return this.show(em, principal.tenantId, after, field.slug, warnings);
    });
  }

  /**
   * @throws InvalidInputError, NotFoundError; FieldsmithError `field_in_use`, 409, when a prompt names what becomes
   * sensitive; FieldNotVisibleError, 403, for who would show themselves what they may not see.
   */
  change(principal: Principal, pipelineId: string, slug: string, dto: FieldChangesDto): Promise<FieldView> {
    return this.changing(principal, pipelineId, async (em, before) => {
      const field = requireField(before, slug);
      if (dto.visible_to !== undefined || dto.sensitive !== undefined) requireSeen(principal, before, slug);
      const changed = changedField(field, dto);
      const errors = changeErrors(field, changed, dto);
      if (errors.length > 0) throw new InvalidInputError(errors);
      if (changed.options.pipeline_id !== field.options.pipeline_id) throw movedRelation();
      await updateField(em, principal.tenantId, pipelineId, changed);
      await this.record(em, principal, pipelineId, field, changed);
      const after = { ...before, fields: before.fields.map((other) => (other === field ? changed : other)) };
      if (changed.visibleTo) await this.limitLabels(em, principal, before, changed);
      const warnings = await this.tellPlugin(em, principal, after, field, changed, dto);
      await this.reveals.requireNoReveal(em, principal, before, after, slug);
      return this.show(em, principal.tenantId, after, slug, warnings);
    });
  }

  /**
   * Removes a field with its values. AI fields whose values it hid get a list of their own.
   *
   * @throws NotFoundError; FieldsmithError `field_in_use`, 409, when a prompt references it; FieldNotVisibleError, 403.
   */
  async remove(principal: Principal, pipelineId: string, slug: string): Promise<void> {
    await this.changing(principal, pipelineId, async (em, before) => {
      const field = requireField(before, slug);
      requireSeen(principal, before, slug);
      await lockFields(em, principal.tenantId, pipelineId, slug);
      const heirs = await this.configs.fieldRemoved(em, principal, before, slug);
      await this.labels.withdraw(em, principal, pipelineId, field);
      await this.passOn(em, principal, before, heirs);
      await deleteField(em, principal.tenantId, pipelineId, slug);
      await this.record(em, principal, pipelineId, field, undefined);
      await em.query(FORGET_VALUES, [principal.tenantId, pipelineId, slug]);
    });
  }

  private async limitLabels(
    em: EntityManager,
    principal: Principal,
    before: Pipeline,
    changed: CrmField,
  ): Promise<void> {
    for (const { pipeline, heirs } of await this.labels.limit(em, principal, before, changed))
      await this.passOn(em, principal, pipeline, heirs);
  }

  private async passOn(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    heirs: readonly Heir[],
  ): Promise<void> {
    for (const { slug, visibleTo } of heirs) {
      const field = requireField(pipeline, slug);
      const changed = { ...field, visibleTo };
      await updateField(em, principal.tenantId, pipeline.id, changed);
      await this.record(em, principal, pipeline.id, field, changed);
    }
  }

  private changing<T>(
    { tenantId }: Principal,
    pipelineId: string,
    work: (em: EntityManager, before: Pipeline) => Promise<T>,
  ): Promise<T> {
    return this.tenants.transaction(tenantId, async (em) => {
      return work(em, await this.catalog.forChanging(em, tenantId, pipelineId));
    });
  }

  /** The configuration of an AI field has an entry of its own, which the plugin writes. */
  private async record(
    em: EntityManager,
    principal: Principal,
    pipelineId: string,
    before: CrmField | undefined,
    after: CrmField | undefined,
  ): Promise<void> {
    const action = !before ? 'create' : after ? 'update' : 'delete';
    const subjectId = `${pipelineId}:${(before ?? after)?.slug}`;
    const states = { before: before && showField(before), after: after && showField(after) };
    await this.audit.record(em, principal, { action, subject: 'Field', subjectId, ...states });
  }

  private async tellPlugin(
    em: EntityManager,
    principal: Principal,
    after: Pipeline,
    field: CrmField,
    changed: CrmField,
    dto: FieldChangesDto,
  ): Promise<string[] | undefined> {
    if (changed.sensitive && !field.sensitive) {
      await this.configs.fieldMadeSensitive(em, principal, after, field.slug);
      await this.labels.withdraw(em, principal, after.id, field);
    }
    const warnings =
      dto.ai_config && (await this.configs.save(em, principal, after, field.slug, dto.ai_config));
    await this.configs.pipelineChanged(em, principal, after);
    return warnings;
  }

  private async show(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    slug: string,
    warnings: string[] | undefined,
  ): Promise<FieldView> {
    const { fields } = await this.views.show(em, tenantId, pipeline);
    const view = fields.find((field) => field.slug === slug) as FieldView;
    const shown = await this.reveals.warningsOf(em, tenantId, pipeline, slug);
    return warnings || shown.length > 0 ? { ...view, warnings: [...(warnings ?? []), ...shown] } : view;
  }
}

/** Whoever does not see a field decides nothing about who does: not by its list, by ending its exclusion, or by removing it. */
function requireSeen({ roles }: Principal, { fields }: Pipeline, slug: string): void {
  requireShown(unseenFields(fields, roles), [slug]);
}

function changedField(field: CrmField, dto: FieldChangesDto): CrmField {
  const fieldType = dto.field_type ?? field.fieldType;
  const kept = fieldType === field.fieldType ? field.options : {};
  return {
    ...field,
    fieldType,
    name: dto.name ?? field.name,
    required: dto.required ?? field.required,
    sensitive: dto.sensitive ?? field.sensitive,
    visibleTo: dto.visible_to === undefined ? field.visibleTo : dto.visible_to,
    options: dto.options ?? kept,
  };
}

function changeErrors(field: CrmField, changed: CrmField, dto: FieldChangesDto): ErrorDetail[] {
  const errors = typeChangeErrors(field.fieldType, changed.fieldType);
  if (dto.slug != null && dto.slug !== field.slug) {
    errors.push({
      path: 'slug',
      message: 'A slug never changes, since prompts and records use it; add a new field.',
    });
  }
  const hasAiConfig =
    dto.ai_config != null || (field.fieldType === 'ai_generated' && changed.fieldType === field.fieldType);
  return [...errors, ...definitionErrors(changed, hasAiConfig)];
}

function requireField(pipeline: Pipeline, slug: string): CrmField {
  const field = fieldOf(pipeline, slug);
  if (!field) throw new NotFoundError('field', slug);
  return field;
}

function requireRoom({ fields }: Pipeline): void {
  if (fields.length < MAX_FIELDS) return;
  throw new InvalidInputError([
    { path: '', message: `A pipeline has at most ${MAX_FIELDS} fields: remove one first.` },
  ]);
}

function movedRelation(): InvalidInputError {
  const message = 'A relation cannot point into another pipeline, its values would be lost: add a new field.';
  return new InvalidInputError([{ path: 'options.pipeline_id', message }]);
}
