import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  FieldNotVisibleError,
  requireShown,
  seesEverything,
  unseenFields,
  type FieldSight,
} from '#libs/access';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas, type Principal } from '#libs/host';
import type { Concealed, ShownJob } from '#libs/processing';
import { TenantSettingsStore } from '#libs/tenants';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { CompiledConfigs } from '../config/compiled-configs.js';
import { readValues } from '../values/value-row.js';
import { pipelineSight, recordSight } from './record-sight.js';

/** Fields of which some value in the pipeline was made from what is hidden. */
const MADE_FROM = `
  SELECT f.slug FROM unnest($3::text[]) f(slug)
   WHERE EXISTS (SELECT FROM ai_values v WHERE v.tenant_id = $1 AND v.pipeline_id = $2 AND v.field = f.slug
                    AND (v.sources && $4::text[] OR v.override_sources && $4::text[]))`;

/**
 * Whether each job was made from what is hidden, by its calls and the value it has stored. Of a job that did neither and has
 * a result, such as one answered from the cache whose value was replaced since, nobody knows: it counts as made from it. So
 * does one whose condition did not hold, since the condition of that time may have read anything.
 */
const JOBS_MADE_FROM = `
  SELECT o.id FROM ai_jobs o
   WHERE o.tenant_id = $1 AND o.id = ANY ($2::uuid[]) AND coalesce((
     SELECT bool_or(s.sources && $3::text[]) FROM (
       SELECT e.sources FROM ai_executions e WHERE e.tenant_id = $1 AND e.job_id = o.id
       UNION ALL
       SELECT v.sources FROM ai_values v
        WHERE v.tenant_id = $1 AND v.record_id = o.record_id AND v.field = o.field AND v.job_id = o.id) s
   ), o.output IS NOT NULL OR o.error_code IS NOT DISTINCT FROM 'condition_not_met')`;

const NONE: ReadonlySet<string> = new Set();

/** Which values a principal sees. Where no field of a pipeline has a `visible_to`, none of this asks the database. */
@Injectable()
export class ValueSight {
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
  ) {}

  /** What the principal sees of the pipeline by its configurations. */
  async of(em: EntityManager, principal: Principal, pipeline: HostPipeline): Promise<FieldSight> {
    const compiled = await this.compiled(em, principal.tenantId, pipeline);
    return pipelineSight(compiled, principal.roles);
  }

  /**
   * For whoever names fields to write them.
   *
   * @param recordId where they are of a record that is there already.
   * @throws FieldNotVisibleError, 403.
   */
  async requireWritable(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slugs: readonly string[],
    recordId?: string,
  ): Promise<void> {
    const unseen = unseenFields(pipeline.fields, principal.roles);
    if (unseen.size === 0) return;
    requireShown(unseen, slugs);
    const ai = aiAmong(pipeline, slugs);
    if (ai.length === 0) return;
    const compiled = await this.compiled(em, principal.tenantId, pipeline);
    const sight = recordId
      ? await this.ofRecord(em, principal, compiled, recordId)
      : pipelineSight(compiled, principal.roles);
    requireShown(sight.hidden, ai);
  }

  /**
   * For whoever looks for records by the values of fields. One value that is hidden is enough to refuse an AI field:
   * whether its record is found would tell what the value is.
   *
   * @throws FieldNotVisibleError, 403.
   */
  async requireFilter(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    slugs: readonly string[],
  ): Promise<void> {
    const unseen = unseenFields(pipeline.fields, principal.roles);
    if (unseen.size === 0 || slugs.length === 0) return;
    requireShown(unseen, slugs);
    const silent = aiAmong(pipeline, slugs).filter((slug) => !hasOwnWord(pipeline, slug));
    if (silent.length === 0) return;
    const { hidden } = await this.of(em, principal, pipeline);
    requireShown(hidden, silent);
    requireShown(await this.madeFromHidden(em, principal, pipeline, hidden, silent), silent);
  }

  /**
   * For whoever would learn the size of prompts, as an estimate tells it.
   *
   * @throws FieldNotVisibleError, 403, where anything that goes into them is hidden, even if the value itself is shown.
   */
  async requireInputs(
    em: EntityManager,
    principal: Principal,
    compiled: CompiledPipeline,
    slug: string,
  ): Promise<void> {
    const { pipeline } = compiled;
    if (unseenFields(pipeline.fields, principal.roles).size === 0) return;
    const { opaque, hidden } = pipelineSight(compiled, principal.roles);
    requireShown(opaque, [slug]);
    const upstream = [...(compiled.upstream.get(slug) ?? [])];
    const made = await this.madeFromHidden(em, principal, pipeline, hidden, upstream);
    if (made.size > 0) throw new FieldNotVisibleError([slug]);
  }

  /** What the principal sees of the values of one record. */
  async ofRecord(
    em: EntityManager,
    principal: Principal,
    compiled: CompiledPipeline,
    recordId: string,
  ): Promise<FieldSight> {
    const isFull = unseenFields(compiled.pipeline.fields, principal.roles).size === 0;
    const rows = isFull ? [] : await readValues(em, principal.tenantId, [recordId]);
    const byField = new Map(rows.map((row) => [row.field, row]));
    return recordSight(compiled, principal.roles, (slug) => byField.get(slug));
  }

  /**
   * What of generations is not shown to the principal, by the ids of their jobs. Of pipelines that are gone nobody knows who
   * saw their fields: nothing is.
   */
  async concealed(
    em: EntityManager,
    principal: Principal,
    jobs: readonly ShownJob[],
  ): Promise<Map<string, Concealed>> {
    const found = new Map<string, Concealed>();
    if (seesEverything(principal.roles)) return found;
    for (const pipelineId of new Set(jobs.map((job) => job.pipelineId))) {
      const own = jobs.filter((job) => job.pipelineId === pipelineId);
      const pipeline = pipelineId ? await this.schemas.read(em, principal.tenantId, pipelineId) : undefined;
      const concealed = pipeline ? await this.concealedOf(em, principal, pipeline, own) : own.map(allOf);
      for (const [id, what] of concealed) found.set(id, what);
    }
    return found;
  }

  /**
   * Whether the principal may know how jobs of fields ended: not where anything that goes into them is hidden, since that
   * tells whether a condition on it holds. Of fields and pipelines that are gone nobody may. One look-up for each pipeline.
   */
  async ends(
    em: EntityManager,
    principal: Principal,
    pipelineIds: Iterable<string>,
  ): Promise<(pipelineId: string, slug: string) => boolean> {
    const all = new Map<string, (slug: string) => boolean>();
    for (const id of pipelineIds) {
      const pipeline = await this.schemas.read(em, principal.tenantId, id);
      if (pipeline) all.set(id, await this.endsOf(em, principal, pipeline));
    }
    return (pipelineId, slug) => all.get(pipelineId)?.(slug) ?? false;
  }

  /**
   * Whether some pipeline has a field that the principal does not see: then jobs are not found by how they ended.
   *
   * @param pipelineId looks at this one alone; one that is gone may have had such a field.
   */
  async hidesEnds(em: EntityManager, principal: Principal, pipelineId?: string): Promise<boolean> {
    if (seesEverything(principal.roles)) return false;
    const { tenantId } = principal;
    const ids = pipelineId === undefined ? await this.configs.pipelineIds(em, tenantId) : [pipelineId];
    for (const id of ids) {
      const pipeline = await this.schemas.read(em, tenantId, id);
      if (!pipeline || unseenFields(pipeline.fields, principal.roles).size > 0) return true;
    }
    return false;
  }

  /** Whether the principal may not know how jobs of a field ended that is there: sums over one that is gone tell of no value. */
  async endsHidden(
    em: EntityManager,
    principal: Principal,
    pipelineIds: Iterable<string>,
  ): Promise<(pipelineId: string, slug: string) => boolean> {
    const all = new Map<string, ReadonlySet<string>>();
    for (const id of seesEverything(principal.roles) ? [] : pipelineIds) {
      const pipeline = await this.schemas.read(em, principal.tenantId, id);
      if (pipeline) all.set(id, await this.withoutEnds(em, principal, pipeline));
    }
    return (pipelineId, slug) => all.get(pipelineId)?.has(slug) ?? false;
  }

  private async concealedOf(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
    jobs: readonly ShownJob[],
  ): Promise<[string, Concealed][]> {
    const unseen = unseenFields(pipeline.fields, principal.roles);
    if (unseen.size === 0) return [];
    const sight = await this.of(em, principal, pipeline);
    const made = await this.jobsMadeFrom(em, principal.tenantId, jobs, sight.hidden);
    return jobs.flatMap(({ id, field }): [string, Concealed][] => {
      const slug = field ?? '';
      if (!made.has(id) && !sight.opaque.has(slug) && !unseen.has(slug)) return [];
      return [[id, { input: true, output: unseen.has(slug) || !hasOwnWord(pipeline, slug) }]];
    });
  }

  private async endsOf(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
  ): Promise<(slug: string) => boolean> {
    const hidden = await this.withoutEnds(em, principal, pipeline);
    if (hidden.size === 0) return () => true;
    const slugs = new Set(pipeline.fields.map(({ slug }) => slug));
    return (slug) => slugs.has(slug) && !hidden.has(slug);
  }

  private async withoutEnds(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline,
  ): Promise<ReadonlySet<string>> {
    if (unseenFields(pipeline.fields, principal.roles).size === 0) return NONE;
    const { unseen, opaque } = await this.of(em, principal, pipeline);
    return new Set([...unseen, ...opaque]);
  }

  private async jobsMadeFrom(
    em: EntityManager,
    tenantId: string,
    jobs: readonly ShownJob[],
    hidden: ReadonlySet<string>,
  ): Promise<Set<string>> {
    const ids = jobs.map(({ id }) => id);
    const rows = await em.query<{ id: string }[]>(JOBS_MADE_FROM, [tenantId, ids, [...hidden]]);
    return new Set(rows.map(({ id }) => id));
  }

  private async madeFromHidden(
    em: EntityManager,
    { tenantId }: Principal,
    pipeline: HostPipeline,
    hidden: ReadonlySet<string>,
    slugs: readonly string[],
  ): Promise<Set<string>> {
    if (slugs.length === 0) return new Set();
    const parameters = [tenantId, pipeline.id, slugs, [...hidden]];
    const rows = await em.query<{ slug: string }[]>(MADE_FROM, parameters);
    return new Set(rows.map(({ slug }) => slug));
  }

  private async compiled(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
  ): Promise<CompiledPipeline> {
    return this.configs.of(em, tenantId, pipeline, await this.settings.recent(em, tenantId));
  }
}

function allOf({ id }: ShownJob): [string, Concealed] {
  return [id, { input: true, output: true }];
}

function aiAmong({ fields }: HostPipeline, slugs: readonly string[]): string[] {
  const ai = fields.filter(({ fieldType }) => fieldType === 'ai_generated').map(({ slug }) => slug);
  return ai.filter((slug) => slugs.includes(slug));
}

/** Whether a field says itself who sees its values. */
function hasOwnWord({ fields }: HostPipeline, slug: string): boolean {
  return fields.some((field) => field.slug === slug && field.visibleTo);
}
