import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldNotVisibleError, fieldSight, requireShown, ROLES, unseenFields, type Role } from '#libs/access';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas, type Principal } from '#libs/host';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { compilePipeline, type CompiledPipeline } from '../config/compile-pipeline.js';
import { CompiledConfigs } from '../config/compiled-configs.js';
import { pipelineSight } from './record-sight.js';

/** An AI field that is to have a list of its own, since a field that hid its values is removed. */
export interface Heir {
  slug: string;
  visibleTo: Role[];
}

/** What the stored values of the AI fields are made from, of those among whose sources are any of these. */
const STORED_SOURCES = `
  SELECT v.field AS slug, array_agg(DISTINCT s) AS sources
    FROM ai_values v, unnest(v.sources || coalesce(v.override_sources, '{}')) s
   WHERE v.tenant_id = $1 AND v.pipeline_id = $2 AND (v.sources && $3::text[] OR v.override_sources && $3::text[])
   GROUP BY v.field`;
const HISTORY_MADE_FROM = `
  SELECT 1 FROM ai_executions
   WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3 AND sources && $4::text[] AND value IS NOT NULL LIMIT 1`;
const PIPELINES = 'SELECT DISTINCT pipeline_id AS id FROM ai_field_configs WHERE tenant_id = $1';

/** Keeps anybody from making values visible that they do not see themselves. */
@Injectable()
export class RevealGuard {
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
  ) {}

  /**
   * Whoever does not see a field has no say in what is made from it: a prompt could repeat it to others, and whether a
   * condition holds or an answer parses tells of it although no value is shown.
   *
   * @param compiled the pipeline with the configuration that is being saved.
   * @throws FieldNotVisibleError, 403, naming what the AI field would read.
   */
  requireReadable(compiled: CompiledPipeline, { roles }: Principal, slug: string): void {
    const { hidden } = pipelineSight(compiled, roles);
    const field = compiled.fields.get(slug);
    if (field) requireShown(hidden, [...new Set([...field.reads, ...field.triggers])]);
  }

  /**
   * Whoever does not see a field cannot let themselves see it: not by its own list, and not by a list of an AI field that
   * is, or ever was, made from it.
   *
   * @param before the pipeline as it was; `after` as it is now, its configurations saved.
   * @param slug the field whose list or configuration was changed.
   * @throws FieldNotVisibleError, 403.
   */
  async requireNoReveal(
    em: EntityManager,
    { tenantId, roles }: Principal,
    before: HostPipeline,
    after: HostPipeline,
    slug: string,
  ): Promise<void> {
    const unseen = unseenFields(before.fields, roles);
    if (unseen.size === 0 || unseenFields(after.fields, roles).has(slug)) return;
    requireShown(unseen, [slug]);
    if (!after.fields.some((field) => field.slug === slug && field.visibleTo)) return;
    const compiled = await this.compile(em, tenantId, after, await this.settings.read(em, tenantId));
    if (pipelineSight(compiled, roles).opaque.has(slug)) throw new FieldNotVisibleError([slug]);
    const stored = await this.storedSources(em, tenantId, after.id, [...unseen]);
    const parameters = [tenantId, after.id, slug, [...unseen]];
    const history = await em.query<unknown[]>(HISTORY_MADE_FROM, parameters);
    if (stored.has(slug) || history.length > 0) throw new FieldNotVisibleError([slug]);
  }

  /**
   * The AI fields whose values were hidden because they are made from a field that is being removed, with the roles that go
   * on seeing them.
   *
   * @param compiled the pipeline that still has the field.
   */
  async heirsOf(
    em: EntityManager,
    tenantId: string,
    { pipeline, fields: compiled }: CompiledPipeline,
    slug: string,
  ): Promise<Heir[]> {
    const { id, fields } = pipeline;
    if (!fields.some(({ visibleTo }) => visibleTo)) return [];
    const stored = await this.storedSources(em, tenantId, id, [slug]);
    const made = new Map<string, Iterable<string>>(
      fields.map((field) => [
        field.slug,
        [...(compiled.get(field.slug)?.reads ?? []), ...(stored.get(field.slug) ?? [])],
      ]),
    );
    return [...stored.keys()].flatMap((heir) => {
      const visibleTo = ROLES.filter((role) => !fieldSight(fields, [role], made).hidden.has(heir));
      const isSilent = fields.some((field) => field.slug === heir && !field.visibleTo);
      return isSilent && heir !== slug && visibleTo.length < ROLES.length ? [{ slug: heir, visibleTo }] : [];
    });
  }

  /**
   * Whoever does not see a field cannot let an AI field that is shown to them read it by taking its name off the names that
   * no prompt may read.
   *
   * @throws FieldNotVisibleError, 403, naming the AI fields.
   */
  async requireSettings(
    em: EntityManager,
    { tenantId, roles }: Principal,
    before: TenantSettings,
    after: TenantSettings,
  ): Promise<void> {
    const isLifted = before.deniedFields.some((name) => !after.deniedFields.includes(name));
    if (!isLifted) return;
    for (const { id } of await em.query<{ id: string }[]>(PIPELINES, [tenantId])) {
      const pipeline = await this.schemas.read(em, tenantId, id);
      if (!pipeline || unseenFields(pipeline.fields, roles).size === 0) continue;
      const was = pipelineSight(await this.compile(em, tenantId, pipeline, before), roles);
      const is = pipelineSight(await this.compile(em, tenantId, pipeline, after), roles);
      const revealed = [...is.opaque].filter((slug) => !was.opaque.has(slug));
      if (revealed.length > 0) throw new FieldNotVisibleError(revealed);
    }
  }

  private async compile(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    settings: TenantSettings,
  ): Promise<CompiledPipeline> {
    return compilePipeline(pipeline, await this.configs.load(em, tenantId, pipeline.id), settings);
  }

  private async storedSources(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    among: readonly string[],
  ): Promise<Map<string, string[]>> {
    const parameters = [tenantId, pipelineId, among];
    const rows = await em.query<{ slug: string; sources: string[] }[]>(STORED_SOURCES, parameters);
    return new Map(rows.map(({ slug, sources }) => [slug, sources]));
  }
}
