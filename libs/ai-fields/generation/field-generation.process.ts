import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { canonicalJson, type Json } from '#libs/common';
import {
  PIPELINE_SCHEMAS,
  RECORD_STORE,
  type PipelineSchemas,
  type Principal,
  type RecordStore,
} from '#libs/host';
import {
  databaseCode,
  INPUTS_WITHDRAWN,
  JobCancelled,
  JobDiscarded,
  type AiProcess,
  type ClaimedJob,
  type Concealed,
  type PromptedCall,
  type ShownJob,
  type StoredResult,
} from '#libs/processing';
import { CompiledConfigs } from '../config/compiled-configs.js';
import type { CompiledField } from '../config/compile-field.js';
import { findDue } from '../graph/find-due.js';
import { readValues } from '../values/value-row.js';
import { ValueSight } from '../visibility/value-sight.js';
import { GenerationQueue, tooDeep } from './enqueue-due.js';
import type { CollectedField } from './collected-field.js';
import { gatherField } from './gather-field.js';
import { promptField } from './prompt-field.js';
import { FIELD_GENERATION } from './subject.js';

/** The database says that a person was faster. */
const PERSON_WAS_FASTER = 'FS002';
/** The database says that the configuration changed meanwhile. */
const CONFIG_CHANGED = 'FS003';

/**
 * A generated value names an execution of its own record and field. Only a cached one may name another's; those few are
 * looked through, because an index on what every new value changes would cost each store its in-place update.
 */
const KEPT = `
  SELECT e.id FROM ai_executions e
    JOIN ai_values v ON v.tenant_id = $1 AND v.record_id = e.record_id AND v.field = e.field AND v.execution_id = e.id
   WHERE e.tenant_id = $1 AND e.id = ANY ($2)`;

/** Generates the value of an AI field for one record. */
@Injectable()
export class FieldGenerationProcess implements AiProcess<CollectedField> {
  readonly type = FIELD_GENERATION;

  // The collaborators are where a generation reads and writes.
  constructor(
    @Inject(RECORD_STORE) private readonly records: RecordStore,
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly configs: CompiledConfigs,
    private readonly queue: GenerationQueue,
    private readonly sights: ValueSight,
  ) {}

  async collect(em: EntityManager, job: ClaimedJob): Promise<CollectedField> {
    const { tenantId, recordId = '', field: slug = '', settings } = job;
    const [record, rows] = await Promise.all([
      this.records.read(em, tenantId, recordId),
      readValues(em, tenantId, [recordId]),
    ]);
    if (!record) throw new JobCancelled('record_gone', 'The record was deleted.');
    const compiled = await this.configs.at(em, tenantId, record.pipelineId, record.pipelineVersion, settings);
    const broken = compiled?.broken.get(slug);
    if (broken) throw broken;
    const field = compiled?.fields.get(slug);
    if (!compiled || !field) throw new JobCancelled('field_gone', 'The AI field was deleted.');
    const names = namesWanted(field) ? await this.schemas.names(em, tenantId, job.principalId) : NO_NAMES;
    return gatherField({ compiled, field, settings, record, names }, rows, job.force);
  }

  prompt(_job: ClaimedJob, collected: CollectedField): PromptedCall {
    return promptField(collected);
  }

  async keeps(em: EntityManager, tenantId: string, executionIds: readonly string[]): Promise<string[]> {
    const rows = await em.query<{ id: string }[]>(KEPT, [tenantId, executionIds]);
    return rows.map(({ id }) => id);
  }

  conceals(
    em: EntityManager,
    principal: Principal,
    jobs: readonly ShownJob[],
  ): Promise<ReadonlyMap<string, Concealed>> {
    return this.sights.concealed(em, principal, jobs);
  }

  hidesEnds(em: EntityManager, principal: Principal, pipelineId?: string): Promise<boolean> {
    return this.sights.hidesEnds(em, principal, pipelineId);
  }

  async store(
    em: EntityManager,
    job: ClaimedJob,
    collected: CollectedField,
    result: StoredResult,
  ): Promise<object> {
    const { record, field } = collected;
    const slug = field.field.slug;
    // Sent together, done in this order by the database: the record is locked first, then the AI value.
    const [shown, kept] = await Promise.allSettled([
      this.records.storeValue(em, job.tenantId, record.id, slug, result.value),
      this.storeValue(em, job, collected, result),
    ]);
    if (shown.status === 'rejected') throw shown.reason;
    if (!shown.value) throw new JobCancelled('record_gone', 'The record or the field was deleted meanwhile.');
    if (kept.status === 'rejected') throw kept.reason;
    await this.triggerDownstream(em, job, collected, result.value);
    return { value: result.value };
  }

  /** The value is current for the inputs and the configuration as they are now. */
  async unchanged(
    em: EntityManager,
    job: ClaimedJob,
    { field, record, row, inputsHash: hash }: CollectedField,
  ): Promise<void> {
    await em.query(
      `UPDATE ai_values SET inputs_hash = $4, prompt_hash = $5, config_hash = $6, config_version = $7
        WHERE tenant_id = $1 AND record_id = $2 AND field = $3 AND revision = $8`,
      [
        job.tenantId,
        record.id,
        field.field.slug,
        hash,
        field.promptHash,
        field.configHash,
        field.version,
        row?.revision ?? 0,
      ],
    );
  }

  fallback(_job: ClaimedJob, { field }: CollectedField): Json | undefined {
    return field.config.fallback_value;
  }

  /** A result for a configuration or inputs that are no more is worth nothing, but the edit still deserves its value. */
  async discarded(
    em: EntityManager,
    job: ClaimedJob,
    { compiled, record, field }: CollectedField,
    reason: string,
  ): Promise<void> {
    if (reason !== 'config_changed' && reason !== INPUTS_WITHDRAWN) return;
    const cause = {
      origin: job.origin,
      principalId: job.principalId,
      lane: job.lane,
      causedBy: job.id,
      depth: job.depth,
    };
    await this.queue.enqueue(em, job.tenantId, compiled, [
      { recordId: record.id, field: field.field.slug, cause },
    ]);
  }

  private async storeValue(
    em: EntityManager,
    job: ClaimedJob,
    collected: CollectedField,
    result: StoredResult,
  ): Promise<void> {
    const { field, record, row } = collected;
    const value = {
      value: result.value,
      execution_id: result.executionId,
      job_id: job.id,
      fingerprint: result.fingerprint,
      inputs_hash: collected.inputsHash,
      prompt_hash: field.promptHash,
      config_hash: field.configHash,
      model: result.model,
      cost_nano: result.costNano?.toString(),
      sources: result.sources,
      outcome: result.outcome,
    };
    try {
      await em.query('SELECT ai_store_value($1, $2, $3, $4, $5, $6, $7)', [
        job.tenantId,
        record.pipelineId,
        record.id,
        field.field.slug,
        row?.revision ?? 0,
        field.version,
        JSON.stringify(value),
      ]);
    } catch (error) {
      const code = databaseCode(error);
      if (code === PERSON_WAS_FASTER)
        throw new JobDiscarded('person_was_faster', 'A person changed the value while it was generated.');
      if (code === CONFIG_CHANGED)
        throw new JobDiscarded(
          'config_changed',
          "The field's configuration changed while the value was generated.",
        );
      throw error;
    }
  }

  /** The stored value is itself a change. */
  private async triggerDownstream(
    em: EntityManager,
    job: ClaimedJob,
    collected: CollectedField,
    value: Json,
  ): Promise<void> {
    const { compiled, record, field } = collected;
    const slug = field.field.slug;
    const depth = job.depth + 1;
    if (tooDeep(depth) || canonicalJson(record.values[slug] ?? null) === canonicalJson(value)) return;
    const due = findDue(compiled, { changed: new Set([slug]), created: false, written: new Set([slug]) });
    const cause = {
      origin: 'ai' as const,
      principalId: job.principalId,
      lane: job.lane,
      causedBy: job.id,
      depth,
      runId: job.runId,
    };
    await this.queue.enqueue(
      em,
      job.tenantId,
      compiled,
      due.map((next) => ({ recordId: record.id, field: next, cause })),
    );
  }
}

const NO_NAMES = { tenant: '', user: '' };

/** Whether a text of the field names the tenant or the user; looking them up is one statement less where not. */
function namesWanted({ prompt, system, condition }: CompiledField): boolean {
  return [prompt, system, condition].some(
    (text) => text?.variables.includes('tenant_name') || text?.variables.includes('current_user'),
  );
}
