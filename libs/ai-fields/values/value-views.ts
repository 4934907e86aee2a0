import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nanoToUsd, type Json } from '#libs/common';
import type { HostPipeline, HostRecord } from '#libs/host';
import { TenantSettingsStore } from '#libs/tenants';
import { CompiledConfigs } from '../config/compiled-configs.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { subjectOf } from '../generation/subject.js';
import { topologicalOrder } from '../graph/dependency-graph.js';
import {
  deriveState,
  isBlocked,
  type AiValueState,
  type DerivedState,
  type JobError,
  type ValueJobs,
} from './derive-state.js';
import { inputsHash, taintedReads } from './inputs.js';
import { SHOWN_COLUMNS, sourcesOfValue, type ShownValueRow } from './value-row.js';

/** An AI value as the API shows it. */
export interface AiValueView {
  state: AiValueState;
  job_id?: string;
  stale_reasons?: string[];
  error?: { code: string; message: string };
  generated_at?: string;
  model?: string;
  cost_usd?: number;
  execution_id?: string;
  overridden_value?: Json;
  feedback?: string;
}

/** Everything about one value: its row, its open job, and the job that ended last. */
interface FactRow extends ShownValueRow {
  subject: string;
  known: boolean;
  open_id: string | null;
  open_status: 'pending' | 'processing' | null;
  open_wait: string | null;
  open_code: string | null;
  open_message: string | null;
  last_id: string | null;
  last_status: string;
  last_outcome: string | null;
  last_code: string | null;
  last_message: string | null;
}

/**
 * One statement, because each one more costs a save 80 µs, and one column, because Node reads the description of every
 * column of every answer; both jobs come from the index on (subject, completed_at).
 */
const FACTS = `
  SELECT row_to_json(f) AS fact FROM (
  SELECT s.record_id || ':' || s.field AS subject, v.record_id IS NOT NULL AS known, ${SHOWN_COLUMNS},
         o.id AS open_id, o.status AS open_status, o.wait_reason AS open_wait,
         o.error_code AS open_code, o.error_message AS open_message,
         l.id AS last_id, l.status AS last_status, l.outcome AS last_outcome, l.error_code AS last_code,
         l.error_message AS last_message
    FROM unnest($2::text[], $3::text[]) s(record_id, field)
    LEFT JOIN ai_values v ON v.tenant_id = $1 AND v.record_id = s.record_id AND v.field = s.field
    LEFT JOIN LATERAL (
      SELECT id, status, wait_reason, error_code, error_message FROM ai_jobs
       WHERE tenant_id = $1 AND subject = s.record_id || ':' || s.field AND completed_at IS NULL
       ORDER BY status DESC LIMIT 1) o ON true
    LEFT JOIN LATERAL (
      SELECT id, status, outcome, error_code, error_message FROM ai_jobs
       WHERE tenant_id = $1 AND subject = s.record_id || ':' || s.field AND completed_at IS NOT NULL
       ORDER BY completed_at DESC LIMIT 1) l ON true) f`;

/** What the state of AI values is derived from, as it was read. */
export interface ValueFacts {
  compiled: CompiledPipeline;
  values: ReadonlyMap<string, ShownValueRow>;
  jobs: ReadonlyMap<string, ValueJobs>;
}

/** Tells the state of AI values, with everything it is derived from read in one statement for any number of records. */
@Injectable()
export class AiValueViews {
  constructor(
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
  ) {}

  /** The `ai` member of each record of one pipeline: by record id, then by field slug. */
  async describe(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    records: readonly HostRecord[],
  ): Promise<Map<string, Record<string, AiValueView>>> {
    return showValues(await this.facts(em, tenantId, pipeline, idsOf(records)), records);
  }

  /** The same for a pipeline that is compiled already. */
  async describeCompiled(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
    records: readonly HostRecord[],
  ): Promise<Map<string, Record<string, AiValueView>>> {
    const { values, jobs } = await this.read(em, tenantId, compiled.pipeline, idsOf(records));
    return showValues({ compiled, values, jobs }, records);
  }

  /**
   * Reads what the states are derived from, so that a host that saves a record can read it together with its other
   * statements; {@link showValues} derives them.
   */
  async facts(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    recordIds: readonly string[],
  ): Promise<ValueFacts> {
    const [settings, read] = await Promise.all([
      this.settings.recent(em, tenantId),
      this.read(em, tenantId, pipeline, recordIds),
    ]);
    return { compiled: await this.configs.of(em, tenantId, pipeline, settings), ...read };
  }

  private async read(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    recordIds: readonly string[],
  ): Promise<Pick<ValueFacts, 'values' | 'jobs'>> {
    const pairs = recordIds.flatMap((id) => aiSlugs(pipeline).map((slug) => [id, slug] as const));
    const facts = await em.query<{ fact: FactRow }[]>(FACTS, [
      tenantId,
      pairs.map(([recordId]) => recordId),
      pairs.map(([, field]) => field),
    ]);
    const rows = facts.map(({ fact }) => fact);
    return {
      values: new Map(rows.filter((row) => row.known).map((row) => [row.subject, row])),
      jobs: new Map(rows.map((row) => [row.subject, jobsOf(row)])),
    };
  }
}

/**
 * The `ai` member of each record, by record id and field slug.
 *
 * @param queued jobs that were made after the facts were read, by {@link subjectOf} their value.
 */
export function showValues(
  { compiled, values, jobs }: ValueFacts,
  records: readonly HostRecord[],
  queued: ReadonlyMap<string, string> = new Map(),
): Map<string, Record<string, AiValueView>> {
  const slugs = aiSlugs(compiled.pipeline);
  const current = new Map(jobs);
  for (const [subject, id] of queued) {
    const known = jobs.get(subject) ?? {};
    if (known.open?.status !== 'processing')
      current.set(subject, { ...known, open: { id, status: 'pending' } });
  }
  return new Map(
    records.map((record) => [record.id, describeRecord(compiled, record, slugs, values, current)]),
  );
}

function idsOf(records: readonly HostRecord[]): string[] {
  return records.map((record) => record.id);
}

function aiSlugs(pipeline: HostPipeline): string[] {
  return pipeline.fields.filter((field) => field.fieldType === 'ai_generated').map((field) => field.slug);
}

function describeRecord(
  compiled: CompiledPipeline,
  record: HostRecord,
  slugs: readonly string[],
  values: ReadonlyMap<string, ShownValueRow>,
  jobs: ReadonlyMap<string, ValueJobs>,
): Record<string, AiValueView> {
  const states = new Map<string, DerivedState>();
  const sources = new Map<string, readonly string[]>();
  for (const slug of slugs) {
    const row = values.get(subjectOf(record.id, slug));
    if (row) sources.set(slug, sourcesOfValue(row));
  }
  for (const slug of topologicalOrder(compiled.graph)) {
    const field = compiled.fields.get(slug);
    if (!field) continue;
    const subject = subjectOf(record.id, slug);
    const left = taintedReads(field, sources);
    const upstreamFresh = [...field.reads].every((read) =>
      isFresh(states.get(read), jobs.get(subjectOf(record.id, read))),
    );
    const hash = inputsHash(field, compiled.pipeline.name, record.values, left);
    states.set(slug, deriveState(field, values.get(subject), jobs.get(subject) ?? {}, hash, upstreamFresh));
  }
  return Object.fromEntries(
    slugs.map((slug) => {
      const subject = subjectOf(record.id, slug);
      return [
        slug,
        view(states.get(slug), values.get(subject), jobs.get(subject) ?? {}, compiled.broken.has(slug)),
      ];
    }),
  );
}

/** What is read in its place is fresh unless it waits for a generation or is known to be stale. */
function isFresh(state: DerivedState | undefined, jobs: ValueJobs | undefined): boolean {
  return !state || (state.staleReasons.length === 0 && !jobs?.open);
}

function view(
  derived: DerivedState | undefined,
  row: ShownValueRow | undefined,
  jobs: ValueJobs,
  broken: boolean,
): AiValueView {
  const state = derived?.state ?? 'failed';
  const { open, last } = jobs;
  return {
    state,
    ...(open ? { job_id: open.id } : {}),
    ...(derived && derived.staleReasons.length > 0 ? { stale_reasons: derived.staleReasons } : {}),
    ...errorOf(state, isBlocked(open) ? open : last, broken),
    ...generatedOf(row),
  };
}

function errorOf(
  state: AiValueState,
  met: JobError | undefined,
  broken: boolean,
): Pick<AiValueView, 'error'> {
  if (broken)
    return {
      error: {
        code: 'invalid_ai_config',
        message: 'The configuration of this field does not work any more: open it and save it.',
      },
    };
  if (state !== 'failed' && state !== 'blocked') return {};
  return {
    error: { code: met?.errorCode ?? 'internal_error', message: met?.errorMessage ?? 'The job failed.' },
  };
}

function generatedOf(row: ShownValueRow | undefined): Partial<AiValueView> {
  if (!row) return {};
  return {
    ...(row.generated_at ? { generated_at: new Date(row.generated_at).toISOString() } : {}),
    ...(row.model ? { model: row.model } : {}),
    ...(row.cost_nano !== null ? { cost_usd: nanoToUsd(BigInt(row.cost_nano)) } : {}),
    ...(row.execution_id ? { execution_id: row.execution_id } : {}),
    ...(row.overridden ? { overridden_value: row.generated } : {}),
    ...(row.feedback ? { feedback: row.feedback } : {}),
  };
}

function jobsOf(row: FactRow): ValueJobs {
  const jobs: ValueJobs = {};
  if (row.open_id && row.open_status) {
    jobs.open = {
      id: row.open_id,
      status: row.open_status,
      waitReason: row.open_wait ?? undefined,
      errorCode: row.open_code ?? undefined,
      errorMessage: row.open_message ?? undefined,
    };
  }
  if (row.last_id) {
    jobs.last = {
      id: row.last_id,
      status: row.last_status,
      outcome: row.last_outcome ?? undefined,
      errorCode: row.last_code ?? undefined,
      errorMessage: row.last_message ?? undefined,
    };
  }
  return jobs;
}
