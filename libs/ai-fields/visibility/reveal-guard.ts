import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  FieldNotVisibleError,
  fieldSight,
  requireShown,
  ROLES,
  unseenFields,
  type FieldSight,
  type Role,
} from '#libs/access';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas, type Principal } from '#libs/host';
import { TenantSettingsStore, type TenantSettings } from '#libs/tenants';
import { compilePipeline, fieldsMadeFrom, type CompiledPipeline } from '../config/compile-pipeline.js';
import { CompiledConfigs } from '../config/compiled-configs.js';
import { pipelineSight } from './record-sight.js';

/** An AI field that is to have a list of its own, since a field that hid its values is removed. */
export interface Heir {
  slug: string;
  visibleTo: Role[];
}

/** What the stored values of AI fields are made from, of those that any of these fields went into. */
const STORED_SOURCES = `
  SELECT v.field AS slug, array_agg(DISTINCT s) AS sources
    FROM ai_values v, unnest(v.sources || coalesce(v.override_sources, '{}')) s
   WHERE v.tenant_id = $1 AND v.pipeline_id = $2 AND (v.sources && $3::text[] OR v.override_sources && $3::text[])
   GROUP BY v.field`;
const HISTORY_MADE_FROM = `
  SELECT 1 FROM ai_executions
   WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3 AND sources && $4::text[] AND value IS NOT NULL LIMIT 1`;

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
   * @param compiled the pipeline with the configuration that is about to be saved.
   * @throws FieldNotVisibleError, 403, naming what the AI field would read, or itself.
   */
  async requireConfigurable(
    em: EntityManager,
    { tenantId, roles }: Principal,
    compiled: CompiledPipeline,
    slug: string,
  ): Promise<void> {
    const { pipeline } = compiled;
    if (unseenFields(pipeline.fields, roles).size === 0) return;
    const saved = await this.compile(em, tenantId, pipeline, await this.settings.read(em, tenantId));
    const { hidden } = await this.sightOf(em, tenantId, saved, roles);
    const { hidden: hiddenThen } = await this.sightOf(em, tenantId, compiled, roles);
    requireShown(hidden, [slug]);
    const field = compiled.fields.get(slug);
    if (field) requireShown(hiddenThen, [...new Set([...field.reads, ...field.triggers])]);
  }

  /**
   * Whoever does not see a field decides on no list that would show it to anybody: not on its own, and not on that of an AI
   * field that is, or ever was, made from it.
   *
   * @param before the pipeline as it was; `after` as it is now, its configurations saved.
   * @param slug the field that was changed.
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
    const list = listOf(after, slug);
    if (unseen.size === 0 || isEqual(listOf(before, slug), list)) return;
    requireShown(unseen, [slug]);
    if (!list) return;
    const compiled = await this.compile(em, tenantId, after, await this.settings.read(em, tenantId));
    const { opaque, hidden } = await this.sightOf(em, tenantId, compiled, roles);
    if (opaque.has(slug)) throw new FieldNotVisibleError([slug]);
    const parameters = [tenantId, after.id, slug, [...hidden]];
    const history = await em.query<unknown[]>(HISTORY_MADE_FROM, parameters);
    if (history.length > 0) throw new FieldNotVisibleError([slug]);
  }

  /**
   * What the admin should know who gives a field a list: AI fields that read it and have wider lists of their own.
   *
   * @param pipeline as it is now, its configurations saved.
   */
  async warningsOf(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    slug: string,
  ): Promise<string[]> {
    if (!listOf(pipeline, slug)) return [];
    const compiled = await this.compile(em, tenantId, pipeline, await this.settings.read(em, tenantId));
    const isSeenBy = (role: Role, field: string) => !unseenFields(pipeline.fields, [role]).has(field);
    return fieldsMadeFrom(compiled, slug).flatMap((made) => {
      const roles = ROLES.filter((role) => isSeenBy(role, made) && !isSeenBy(role, slug));
      if (!listOf(pipeline, made) || roles.length === 0) return [];
      return `The list of "${made}" shows what is made from "${slug}" to ${roles.join(', ')} too: change that list, or leave "${slug}" out of its prompt.`;
    });
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
    compiled: CompiledPipeline,
    slug: string,
  ): Promise<Heir[]> {
    const { id, fields } = compiled.pipeline;
    if (!fields.some(({ visibleTo }) => visibleTo)) return [];
    const stored = await this.storedSources(em, tenantId, id, [slug]);
    const made = madeFrom(compiled, stored);
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
    for (const id of await this.configs.pipelineIds(em, tenantId)) {
      const pipeline = await this.schemas.read(em, tenantId, id);
      if (!pipeline || unseenFields(pipeline.fields, roles).size === 0) continue;
      const was = await this.sightOf(em, tenantId, await this.compile(em, tenantId, pipeline, before), roles);
      const is = await this.sightOf(em, tenantId, await this.compile(em, tenantId, pipeline, after), roles);
      const revealed = [...is.opaque].filter((slug) => !was.opaque.has(slug));
      if (revealed.length > 0) throw new FieldNotVisibleError(revealed);
    }
  }

  /** What these roles see of the AI fields, by their configurations and by all their values together. */
  private async sightOf(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
    roles: readonly string[],
  ): Promise<FieldSight> {
    const { id, fields } = compiled.pipeline;
    const { hidden } = pipelineSight(compiled, roles);
    const stored = await this.storedSources(em, tenantId, id, [...hidden]);
    return fieldSight(fields, roles, madeFrom(compiled, stored));
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

function listOf({ fields }: HostPipeline, slug: string): readonly string[] | undefined {
  return fields.find((field) => field.slug === slug)?.visibleTo ?? undefined;
}

function isEqual(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** By configuration and by what is stored. */
function madeFrom(
  { pipeline, fields }: CompiledPipeline,
  stored: ReadonlyMap<string, string[]>,
): Map<string, Iterable<string>> {
  return new Map(
    pipeline.fields.map(({ slug }) => [
      slug,
      [...(fields.get(slug)?.reads ?? []), ...(stored.get(slug) ?? [])],
    ]),
  );
}
