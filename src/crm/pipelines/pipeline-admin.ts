import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '#libs/access';
import { AiFieldConfigs, RecordChangeListener } from '#libs/ai-fields';
import { FieldsmithError, InvalidInputError, newId, NotFoundError, type ErrorDetail } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import type { FieldDto, NewPipelineDto, PipelineChangesDto } from '../dto/pipeline.dto.js';
import { newFields } from './field-definitions.js';
import { insertFields, lockFields, requireTargets } from './field-rows.js';
import type { CrmField, Pipeline } from './pipeline.js';
import { PipelineCatalog } from './pipeline-catalog.js';
import { PipelineViews, showField, type PipelineView } from './pipeline-views.js';
import { deriveSlug } from './slugs.js';
import { orSlugTaken } from './slug-taken.js';

const TAKEN = 'SELECT slug FROM pipelines WHERE tenant_id = $1';
const ADD = 'INSERT INTO pipelines (tenant_id, id, name, slug) VALUES ($1, $2, $3, $4)';
const CHANGE =
  'UPDATE pipelines SET name = coalesce($3, name), slug = coalesce($4, slug) WHERE tenant_id = $1 AND id = $2';
const POINTING_HERE = `
  SELECT p.name AS pipeline, f.name AS field FROM pipeline_fields f
    JOIN pipelines p ON p.tenant_id = f.tenant_id AND p.id = f.pipeline_id
   WHERE f.tenant_id = $1 AND f.options->>'pipeline_id' = $2 AND f.pipeline_id <> $2 LIMIT 10`;
const REMOVALS = [
  'DELETE FROM records WHERE tenant_id = $1 AND pipeline_id = $2',
  'DELETE FROM pipeline_fields WHERE tenant_id = $1 AND pipeline_id = $2',
  'DELETE FROM pipelines WHERE tenant_id = $1 AND id = $2',
];

const inList = (n: number) => `fields.${n}.`;

/** The pipelines of a tenant: list, add, rename, remove. */
@Injectable()
export class PipelineAdmin {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly catalog: PipelineCatalog,
    private readonly views: PipelineViews,
    private readonly configs: AiFieldConfigs,
    private readonly listener: RecordChangeListener,
    private readonly audit: AuditLog,
  ) {}

  /** At most `limit` pipelines after an id. */
  list(tenantId: string, after: string, limit: number): Promise<PipelineView[]> {
    return this.tenants.transaction(tenantId, async (em) => {
      const views: PipelineView[] = [];
      for (const pipeline of await this.catalog.list(em, tenantId, after, limit)) {
        views.push(await this.views.show(em, tenantId, pipeline));
      }
      return views;
    });
  }

  /** @throws NotFoundError */
  read(tenantId: string, id: string): Promise<PipelineView> {
    return this.tenants.transaction(tenantId, async (em) => {
      const pipeline = await this.catalog.find(em, tenantId, id);
      if (!pipeline) throw new NotFoundError('pipeline', id);
      return this.views.show(em, tenantId, pipeline);
    });
  }

  /**
   * Adds a pipeline with all its fields. AI fields may reference each other in any order: every field is there before
   * the first configuration is saved.
   *
   * @throws InvalidInputError with everything wrong with any field; FieldsmithError `slug_taken`, 409.
   */
  add(principal: Principal, { name, slug, fields: given }: NewPipelineDto): Promise<PipelineView> {
    // `null` counts as not given, as everywhere.
    const dtos = given ?? [];
    const fields = newFields(dtos, new Set(), inList);
    const { tenantId } = principal;
    const added = this.tenants.transaction(tenantId, async (em) => {
      const id = newId();
      await em.query(ADD, [tenantId, id, name, slug ?? (await this.freeSlug(em, tenantId, name))]);
      await requireTargets(em, tenantId, fields, inList);
      await insertFields(em, tenantId, id, fields);
      const pipeline = (await this.catalog.find(em, tenantId, id)) as Pipeline;
      const after = { ...named(pipeline), fields: pipeline.fields.map((field) => showField(field)) };
      await this.audit.record(em, principal, { action: 'create', ...subjectOf(id), after });
      const warnings = await this.saveConfigs(em, principal, pipeline, dtos, fields);
      return withWarnings(await this.views.show(em, tenantId, pipeline), warnings);
    });
    return orSlugTaken(added);
  }

  /** @throws NotFoundError; FieldsmithError `slug_taken`, 409. */
  change(principal: Principal, id: string, { name, slug }: PipelineChangesDto): Promise<PipelineView> {
    const { tenantId } = principal;
    const changed = this.tenants.transaction(tenantId, async (em) => {
      const before = named(await this.catalog.forChanging(em, tenantId, id));
      await em.query(CHANGE, [tenantId, id, name ?? null, slug ?? null]);
      const pipeline = (await this.catalog.find(em, tenantId, id)) as Pipeline;
      const after = named(pipeline);
      await this.audit.record(em, principal, { action: 'update', ...subjectOf(id), before, after });
      return this.views.show(em, tenantId, pipeline);
    });
    return orSlugTaken(changed);
  }

  /** Removes a pipeline with its records. @throws NotFoundError; FieldsmithError `pipeline_in_use`, 409. */
  async remove(principal: Principal, id: string): Promise<void> {
    const { tenantId } = principal;
    await this.tenants.transaction(tenantId, async (em) => {
      const pipeline = await this.catalog.forChanging(em, tenantId, id);
      await this.requireUnused(em, tenantId, id);
      const { fields } = await this.views.show(em, tenantId, pipeline);
      const before = { ...named(pipeline), fields };
      await this.audit.record(em, principal, { action: 'delete', ...subjectOf(id), before });
      await lockFields(em, tenantId, id);
      for (const sql of REMOVALS) await em.query(sql, [tenantId, id]);
      await this.listener.pipelineDeleted(em, principal, id);
    });
  }

  private async saveConfigs(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    dtos: FieldDto[],
    fields: CrmField[],
  ): Promise<ReadonlyMap<string, string[]>> {
    const warnings = new Map<string, string[]>();
    const errors: ErrorDetail[] = [];
    for (const [n, { slug }] of fields.entries()) {
      const config = dtos[n]?.ai_config;
      if (!config) continue;
      try {
        warnings.set(slug, await this.configs.save(em, principal, pipeline, slug, config));
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
        errors.push(...error.errors.map(({ path, message }) => ({ path: inList(n) + path, message })));
      }
    }
    if (errors.length > 0) throw new InvalidInputError(errors);
    return warnings;
  }

  private async freeSlug(em: EntityManager, tenantId: string, name: string): Promise<string> {
    const rows = await em.query<{ slug: string }[]>(TAKEN, [tenantId]);
    return deriveSlug(name, new Set(rows.map(({ slug }) => slug)));
  }

  private async requireUnused(em: EntityManager, tenantId: string, id: string): Promise<void> {
    const rows = await em.query<{ pipeline: string; field: string }[]>(POINTING_HERE, [tenantId, id]);
    if (rows.length === 0) return;
    const names = rows.map(({ pipeline, field }) => `"${field}" of ${pipeline}`).join(', ');
    const message = `Relations point into this pipeline: remove ${names} first.`;
    throw new FieldsmithError('pipeline_in_use', message, { status: 409 });
  }
}

function named({ name, slug }: Pipeline): { name: string; slug: string } {
  return { name, slug };
}

function subjectOf(id: string): { subject: string; subjectId: string } {
  return { subject: 'Pipeline', subjectId: id };
}

function withWarnings(view: PipelineView, warnings: ReadonlyMap<string, string[]>): PipelineView {
  const fields = view.fields.map((field) => {
    const own = warnings.get(field.slug);
    return own ? { ...field, warnings: own } : field;
  });
  return { ...view, fields };
}
