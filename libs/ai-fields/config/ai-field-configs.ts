import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  centsToNano,
  FieldsmithError,
  InvalidInputError,
  nanoToCents,
  type ErrorDetail,
  type Json,
} from '#libs/common';
import { AuditLog, type Watched } from '#libs/access';
import { Budgets } from '#libs/accounting';
import type { HostPipeline, Principal } from '#libs/host';
import { TenantSettingsStore } from '#libs/tenants';
import { subjectOf } from '../generation/subject.js';
import { RevealGuard, type Heir } from '../visibility/reveal-guard.js';
import type { AiConfig } from './ai-config.js';
import { ConfigChecker } from './check-config.js';
import { compilePipeline, fieldsMadeFrom, type CompiledPipeline } from './compile-pipeline.js';
import { CompiledConfigs } from './compiled-configs.js';
import { FieldPurge } from './field-purge.js';
import { readAiConfig } from './read-config.js';

/** The configurations of AI fields as a host changes them, each under its lock on the pipeline. */
@Injectable()
export class AiFieldConfigs {
  constructor(
    private readonly configs: CompiledConfigs,
    private readonly checker: ConfigChecker,
    private readonly settings: TenantSettingsStore,
    private readonly budgets: Budgets,
    private readonly purge: FieldPurge,
    private readonly audit: AuditLog,
    private readonly reveals: RevealGuard,
  ) {}

  /**
   * Checks a configuration whole and saves it.
   *
   * @param pipeline as it will be after the change; the host holds a lock on it.
   * @returns what the admin should know although it is saved, such as a parameter that the provider does not take.
   * @throws InvalidInputError with every error at once, paths below `ai_config`; FieldNotVisibleError, 403, where it reads
   * or is made from what the principal does not see.
   */
  async save(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
    aiConfig: unknown,
  ): Promise<string[]> {
    const { tenantId } = principal;
    const config = readAiConfig(aiConfig);
    await this.settings.keep(em, tenantId);
    const { compiled, version, warnings } = await this.checker.check(em, tenantId, pipeline, slug, config);
    await this.reveals.requireConfigurable(em, principal, compiled, slug);
    await this.audit.watch(em, principal, this.watched(em, tenantId, pipeline.id, slug), async () => {
      await em.query(
        `INSERT INTO ai_field_configs (tenant_id, pipeline_id, field, config, version) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, pipeline_id, field) DO UPDATE
           SET config = excluded.config, version = excluded.version, updated_at = now()`,
        [tenantId, pipeline.id, slug, JSON.stringify(config), version],
      );
      await this.refreshUpstream(em, tenantId, compiled);
      await this.saveBudget(em, principal, `${pipeline.id}:${slug}`, config.budget_limit_cents);
    });
    return warnings;
  }

  /**
   * The configuration of every AI field of a pipeline, by slug. Its budget is the one limit there is, wherever it was set.
   */
  async read(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
  ): Promise<Record<string, Record<string, Json>>> {
    const configs = await this.configs.load(em, tenantId, pipelineId);
    const shown: Record<string, Record<string, Json>> = {};
    for (const [slug, { config }] of configs)
      shown[slug] = await this.show(em, tenantId, pipelineId, slug, config);
    return shown;
  }

  /**
   * @returns the AI fields whose values were hidden by the field: the host gives them the lists that hide them still.
   * @throws FieldsmithError `field_in_use` (409) naming the AI fields whose texts or triggers reference the field.
   */
  async fieldRemoved(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<Heir[]> {
    const { tenantId } = principal;
    const compiled = await this.compile(em, tenantId, pipeline);
    this.refuseIfUsed(compiled, slug, 'deleted');
    const heirs = await this.reveals.heirsOf(em, tenantId, compiled, slug);
    await this.audit.watch(em, principal, this.watched(em, tenantId, pipeline.id, slug), async () => {
      await em.query(
        'DELETE FROM ai_field_configs WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3',
        [tenantId, pipeline.id, slug],
      );
      await this.purge.dropField(em, tenantId, pipeline.id, slug, fieldsMadeFrom(compiled, slug));
      await this.budgets.removeLimit(em, principal, 'field', `${pipeline.id}:${slug}`);
    });
    return heirs;
  }

  /** The pipeline is deleted: its AI fields end as removed ones do, each with its entries in the audit log. */
  async pipelineRemoved(em: EntityManager, principal: Principal, pipelineId: string): Promise<void> {
    const { tenantId } = principal;
    const slugs = [...(await this.configs.load(em, tenantId, pipelineId)).keys()];
    const watched = slugs.map((slug) => this.watched(em, tenantId, pipelineId, slug));
    await this.watchAll(em, principal, watched, async () => {
      await em.query('DELETE FROM ai_field_configs WHERE tenant_id = $1 AND pipeline_id = $2', [
        tenantId,
        pipelineId,
      ]);
      await this.purge.dropPipeline(em, tenantId, pipelineId);
      for (const slug of slugs)
        await this.budgets.removeLimit(em, principal, 'field', `${pipelineId}:${slug}`);
    });
  }

  /** @throws FieldsmithError `field_in_use` (409) when a prompt names the field. */
  async fieldMadeSensitive(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<void> {
    const before = {
      ...pipeline,
      fields: pipeline.fields.map((field) => (field.slug === slug ? { ...field, sensitive: false } : field)),
    };
    const compiled = await this.compile(em, principal.tenantId, before);
    this.refuseIfUsed(compiled, slug, 'marked sensitive');
    const madeFrom = fieldsMadeFrom(compiled, slug);
    await this.purge.forget(em, principal.tenantId, pipeline.id, slug, madeFrom);
  }

  /**
   * What was shown as values of a field may not be kept any more, though the field itself stays: such as the labels of a
   * relation, once the field of the other pipeline that they came from is sensitive or gone.
   *
   * @param pipeline whose field it is, as it is now; it need not be locked.
   */
  async shownValuesWithdrawn(
    em: EntityManager,
    { tenantId }: Principal,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<void> {
    const compiled = await this.compile(em, tenantId, pipeline);
    await this.purge.forget(em, tenantId, pipeline.id, slug, fieldsMadeFrom(compiled, slug));
  }

  /**
   * What was shown as values of a field is for these roles alone from now on, though the field itself may be for more: such as
   * the labels of a relation, once the field of the other pipeline that they came from has a list.
   *
   * @param pipeline whose field it is; the host holds a lock on it.
   * @returns the AI fields that hold values made from it: the host gives them the lists that hide these.
   */
  async shownValuesLimited(
    em: EntityManager,
    { tenantId }: Principal,
    pipeline: HostPipeline,
    slug: string,
    visibleTo: readonly string[],
  ): Promise<Heir[]> {
    const limited = pipeline.fields.map((field) =>
      field.slug === slug
        ? { ...field, visibleTo: field.visibleTo?.filter((role) => visibleTo.includes(role)) ?? visibleTo }
        : field,
    );
    const compiled = await this.compile(em, tenantId, { ...pipeline, fields: limited });
    await this.purge.withdraw(em, tenantId, pipeline.id, slug, fieldsMadeFrom(compiled, slug));
    return this.reveals.heirsOf(em, tenantId, compiled, slug);
  }

  /** @throws InvalidInputError when an AI field would no longer compile. */
  async pipelineChanged(em: EntityManager, principal: Principal, pipeline: HostPipeline): Promise<void> {
    const compiled = await this.compile(em, principal.tenantId, pipeline);
    const [broken] = compiled.broken;
    if (!broken) return;
    const [slug, error] = broken;
    const errors = error.errors.map(({ message }): ErrorDetail => ({
      path: 'field',
      message: `the AI field "${slug}" would no longer work: ${message}`,
    }));
    throw new InvalidInputError(errors, 'field_in_use');
  }

  private async compile(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
  ): Promise<CompiledPipeline> {
    // Before anything is purged: a change of the settings purges too, and has them to itself by then.
    await this.settings.keep(em, tenantId);
    const settings = await this.settings.read(em, tenantId);
    return compilePipeline(pipeline, await this.configs.load(em, tenantId, pipeline.id), settings);
  }

  private async saveBudget(
    em: EntityManager,
    principal: Principal,
    scopeId: string,
    cents: number | undefined,
  ): Promise<void> {
    if (cents === undefined) await this.budgets.removeLimit(em, principal, 'field', scopeId);
    else await this.budgets.setLimit(em, principal, 'field', scopeId, centsToNano(cents));
  }

  private async show(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    slug: string,
    config: AiConfig,
  ): Promise<Record<string, Json>> {
    const { budget_limit_cents: _saved, ...rest } = config as unknown as Record<string, Json>;
    const limit = await this.budgets.limitOf(em, tenantId, 'field', `${pipelineId}:${slug}`);
    return limit === undefined ? rest : { ...rest, budget_limit_cents: nanoToCents(limit) };
  }

  private watched(em: EntityManager, tenantId: string, pipelineId: string, slug: string): Watched {
    const view = async (): Promise<object | undefined> => {
      const saved = (await this.configs.load(em, tenantId, pipelineId)).get(slug);
      return saved && this.show(em, tenantId, pipelineId, slug, saved.config);
    };
    return { subject: 'AiField', subjectId: `${pipelineId}:${slug}`, view };
  }

  private async watchAll(
    em: EntityManager,
    principal: Principal,
    [first, ...rest]: readonly Watched[],
    change: () => Promise<void>,
  ): Promise<void> {
    if (!first) return change();
    await this.audit.watch(em, principal, first, () => this.watchAll(em, principal, rest, change));
  }

  /** Open jobs wait for what is upstream of them by the graph as it is now; one in flight may have to wait again. */
  private async refreshUpstream(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
  ): Promise<void> {
    for (const [slug, upstream] of compiled.upstream) {
      await em.query(
        `UPDATE ai_jobs SET upstream = ARRAY(SELECT record_id || $4 || u FROM unnest($5::text[]) u)
          WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3 AND status IN ('pending', 'processing')
            AND upstream IS DISTINCT FROM ARRAY(SELECT record_id || $4 || u FROM unnest($5::text[]) u)`,
        [tenantId, compiled.pipeline.id, slug, subjectOf('', ''), [...upstream]],
      );
    }
  }

  private refuseIfUsed(compiled: CompiledPipeline, slug: string, what: string): void {
    const users = [...compiled.fields.values()].filter(
      ({ field, references, config }) =>
        field.slug !== slug && (references.has(slug) || config.trigger_fields?.includes(slug)),
    );
    if (users.length === 0) return;
    const errors = users.map(({ field }) => ({
      path: `fields.${field.slug}.ai_config`,
      message: `"${field.name}" references "${slug}"`,
    }));
    const names = users.map(({ field }) => `"${field.name}"`).join(', ');
    throw new FieldsmithError(
      'field_in_use',
      `The field "${slug}" cannot be ${what}: the AI fields ${names} reference it. Change their prompts first.`,
      { status: 409, errors },
    );
  }
}
