import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, nanoToUsd, newId, NotFoundError, type Json } from '#libs/common';
import { requireShown } from '#libs/access';
import { holdAmount } from '#libs/accounting';
import {
  PIPELINE_SCHEMAS,
  RECORD_STORE,
  type HostPipeline,
  type HostRecord,
  type PipelineSchemas,
  type Principal,
  type RecordStore,
} from '#libs/host';
import {
  CallPreparer,
  executionRow,
  holdBoundsOf,
  JobAnswerer,
  JobStore,
  KeyPauses,
  type AttemptCalls,
  type CallingJob,
  type PreparedCall,
} from '#libs/processing';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { ConfigChecker } from '../config/check-config.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { readAiConfig } from '../config/read-config.js';
import type { CollectedField } from '../generation/collected-field.js';
import { promptField } from '../generation/prompt-field.js';
import { inputsHash, sourcesRead, taintedReads } from '../values/inputs.js';
import { readValues, sourcesOfValue } from '../values/value-row.js';
import { pipelineSight } from '../visibility/record-sight.js';

/** A configuration that is being written, and what to show it on. */
export interface Draft {
  pipelineId: string;
  aiConfig: unknown;
  field?: string;
  recordId?: string;
}

export interface DraftPreview {
  prompt: string;
  system_message: string | null;
  references: string[];
  excluded: string[];
  /** The most input tokens that this can be counted as. */
  input_tokens: number;
  max_cost_usd: number | null;
  warnings: string[];
}

export interface DraftResult {
  value: Json;
  model: string;
  tokens: number;
  cost_usd: number;
}

interface PreparedDraft {
  collected: CollectedField;
  prepared: PreparedCall;
}

/** The slug that a configuration without a field yet is compiled under; no field of a host can have it. */
const DRAFT_SLUG = '(new field)';

/** Shows what a configuration would do before it is saved. */
@Injectable()
export class Drafts {
  // The collaborators are those of a generation, without its job.
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    @Inject(RECORD_STORE) private readonly records: RecordStore,
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly checker: ConfigChecker,
    private readonly preparer: CallPreparer,
    private readonly answerer: JobAnswerer,
    private readonly jobs: JobStore,
    private readonly pauses: KeyPauses,
  ) {}

  /** Expands the prompt and prices it; calls no provider. @throws InvalidInputError with every error of the configuration. */
  async preview(principal: Principal, draft: Draft): Promise<DraftPreview> {
    return this.tenants.transaction(principal.tenantId, async (em) => {
      const { collected, prepared } = await this.prepare(em, principal, draft);
      const { field } = collected;
      const { price, provider, request } = prepared;
      const bounds = holdBoundsOf(provider, request);
      const max = price && holdAmount(price, bounds);
      return {
        prompt: request.messages[0]!.content,
        system_message: request.system ?? null,
        references: [...field.reads],
        excluded: excludedFields(collected),
        input_tokens: bounds.inputTokenBound,
        max_cost_usd: max === undefined ? null : nanoToUsd(max),
        warnings: warningsOf(collected, prepared),
      };
    });
  }

  /** Makes the call for real, through the same gate as any other, and stores nothing on the record. */
  async try(principal: Principal, draft: Draft): Promise<DraftResult> {
    const { tenantId } = principal;
    const { prepared, snapshot } = await this.tenants.transaction(tenantId, async (em) => ({
      // Before anything is read.
      snapshot: await this.jobs.snapshot(em),
      prepared: (await this.prepare(em, principal, draft)).prepared,
    }));
    this.pauses.requireNone(prepared);
    const calls: AttemptCalls = { tokens: 0, costNano: 0n };
    const job = {
      tenantId,
      id: newId(),
      attempt: 1,
      jobType: 'field_try',
      pipelineId: draft.pipelineId,
      recordId: draft.recordId,
      field: draft.field,
      principalId: principal.id,
      origin: 'api' as const,
      snapshot,
      gone: (em: EntityManager) => this.gone(em, tenantId, draft),
    };
    try {
      const { value } = await this.answerer.answer(job, prepared, calls);
      await this.record(job, calls, value);
      return {
        value,
        model: prepared.prompted.model,
        tokens: calls.tokens,
        cost_usd: nanoToUsd(calls.costNano),
      };
    } catch (error) {
      await this.record(job, calls);
      await this.tenants.transaction(tenantId, (em) => this.pauses.note(em, tenantId, prepared, error));
      if (error instanceof FieldsmithError && error.code === 'budget_wait') {
        throw new FieldsmithError(
          'budget_busy',
          'Calls in flight hold the rest of the budget: try again in a moment.',
          { status: 409 },
        );
      }
      if (error instanceof FieldsmithError && error.code === 'provider_key_busy') {
        const message = `${error.message} Try again in a moment.`;
        throw new FieldsmithError(error.code, message, { status: 409 });
      }
      throw error;
    }
  }

  private async record(job: CallingJob, { last }: AttemptCalls, value?: Json): Promise<void> {
    if (!last) return;
    const parsed = value === undefined ? undefined : { value, stored: false };
    const recorded = {
      executions: [executionRow(last.execution, parsed)],
      settlements: [last.settlement],
      key: last.key,
    };
    await this.tenants.transaction(job.tenantId, async (em) => {
      const gone = await job.gone?.(em);
      await this.jobs.recordCalls(em, job.tenantId, recorded, { withdrawn: !!gone });
    });
  }

  /** Whoever deletes the record meanwhile comes first and is seen here, or finds what was recorded. */
  private async gone(
    em: EntityManager,
    tenantId: string,
    { recordId }: Draft,
  ): Promise<NotFoundError | undefined> {
    if (recordId === undefined) return undefined;
    const record = await this.records.read(em, tenantId, recordId, { lock: true });
    return record ? undefined : new NotFoundError('record', recordId);
  }

  private async prepare(em: EntityManager, principal: Principal, draft: Draft): Promise<PreparedDraft> {
    const { tenantId } = principal;
    const config = readAiConfig(draft.aiConfig);
    const pipeline = await this.schemas.read(em, tenantId, draft.pipelineId);
    if (!pipeline) throw new NotFoundError('pipeline', draft.pipelineId);
    const slug = draft.field ?? DRAFT_SLUG;
    const { compiled } = await this.checker.check(em, tenantId, withField(pipeline, slug), slug, config);
    const field = compiled.fields.get(slug);
    if (!field) throw new NotFoundError('AI field', slug);
    const record = await this.recordToShow(em, tenantId, pipeline, draft.recordId);
    const rows = await readValues(em, tenantId, [record.id]);
    const made = new Map(rows.map((row) => [row.field, sourcesOfValue(row)]));
    const left = taintedReads(field, made);
    const sources = sourcesRead(field, left, made);
    if (draft.recordId !== undefined) requireSeen(compiled, principal, slug, sources);
    const collected: CollectedField = {
      compiled,
      field,
      settings: await this.settings.read(em, tenantId),
      record,
      row: undefined,
      left,
      sources,
      names: await this.schemas.names(em, tenantId, principal.id),
      inputsHash: inputsHash(field, pipeline.name, record.values, left),
    };
    return { collected, prepared: await this.preparer.prepare(em, tenantId, promptField(collected)) };
  }

  private async recordToShow(
    em: EntityManager,
    tenantId: string,
    pipeline: HostPipeline,
    recordId?: string,
  ): Promise<HostRecord> {
    if (recordId === undefined) {
      return { id: '', pipelineId: pipeline.id, pipelineVersion: pipeline.version, values: {} };
    }
    const record = await this.records.read(em, tenantId, recordId);
    if (!record || record.pipelineId !== pipeline.id)
      throw new NotFoundError('record of this pipeline', recordId);
    return record;
  }
}

/**
 * A draft shown on a record tells what went into it.
 *
 * @throws FieldNotVisibleError, 403, naming what it is made from that the principal may not see.
 */
function requireSeen(
  compiled: CompiledPipeline,
  { roles }: Principal,
  slug: string,
  sources: readonly string[],
): void {
  const { unseen, opaque } = pipelineSight(compiled, roles);
  requireShown(unseen, sources);
  requireShown(opaque, [...compiled.fields.get(slug)!.reads]);
}

function withField(pipeline: HostPipeline, slug: string): HostPipeline {
  if (pipeline.fields.some((field) => field.slug === slug)) return pipeline;
  return {
    ...pipeline,
    fields: [...pipeline.fields, { slug, name: 'New field', fieldType: 'ai_generated' }],
  };
}

function excludedFields({ compiled, field, left }: CollectedField): string[] {
  const slugs = new Set(compiled.pipeline.fields.map(({ slug }) => slug));
  return [...new Set([...field.excluded.keys(), ...left])].filter((slug) => slugs.has(slug));
}

function warningsOf(
  { field, left }: CollectedField,
  { provider, price, prompted, key }: PreparedCall,
): string[] {
  const { model } = prompted;
  const warnings = provider.warnings({
    model,
    temperature: field.config.temperature,
    tools: prompted.tools?.names,
  });
  if (!price)
    warnings.push(`No price is known for "${model}": its calls are refused as soon as a budget applies.`);
  if (key.source === 'simulator')
    warnings.push(`There is no key for ${provider.name}: the simulator answers.`);
  if (left.size > 0) warnings.push(`Left out, because made from an excluded field: ${[...left].join(', ')}.`);
  if (field.triggers.size === 0 && field.config.auto_regenerate !== false) {
    warnings.push('The prompt reads no field, so no edit makes this field due.');
  }
  return warnings;
}
