import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { fieldSight } from '#libs/access';
import {
  AiValueViews,
  shownRecord,
  showValues,
  sightOfFacts,
  subjectOf,
  type AiValueView,
  type TriggeredJob,
  type ValueFacts,
} from '#libs/ai-fields';
import type { Json } from '#libs/common';
import type { Principal } from '#libs/host';
import { hasAiFields, type Pipeline } from '../pipelines/pipeline.js';
import { RelationLabels } from './relation-labels.js';
import { knownValues, type RecordRow } from './record-rows.js';

/** `Record` of the API. */
export interface RecordView {
  id: string;
  pipeline_id: string;
  data: Record<string, Json>;
  version: number;
  created_at: string;
  updated_at: string;
  ai: Record<string, AiValueView>;
  ai_processing?: {
    triggered_jobs: TriggeredJob[];
    record_id: string;
    processing_mode: 'async';
  };
}

/** Shows records with the state of their AI values, a page at a time. */
@Injectable()
export class RecordViews {
  constructor(
    private readonly values: AiValueViews,
    private readonly labels: RelationLabels,
  ) {}

  /** Records as this principal sees them. */
  async show(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    rows: RecordRow[],
  ): Promise<RecordView[]> {
    const { tenantId } = principal;
    if (rows.length === 0) return [];
    if (!hasAiFields(pipeline)) return rows.map((row) => this.view(principal, pipeline, row));
    const ids = rows.map(({ id }) => id);
    const facts = await this.values.facts(em, tenantId, pipeline, ids);
    const ai = showValues(facts, await this.labels.toHostRecords(em, tenantId, pipeline, rows));
    return rows.map((row) => this.view(principal, pipeline, row, { facts, ai: ai.get(row.id) ?? {} }));
  }

  /** What the states of a record's AI values are derived from; undefined where the pipeline has none. */
  async facts(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    recordId: string,
  ): Promise<ValueFacts | undefined> {
    return hasAiFields(pipeline) ? this.values.facts(em, tenantId, pipeline, [recordId]) : undefined;
  }

  /**
   * One record that was just saved, with the jobs that the save made due.
   *
   * @param facts read before those jobs were made; read now where they are not given.
   */
  async showSaved(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    row: RecordRow,
    jobs: TriggeredJob[],
    facts?: ValueFacts,
  ): Promise<RecordView> {
    const view = facts
      ? await this.showQueued(em, principal, pipeline, row, jobs, facts)
      : (await this.show(em, principal, pipeline, [row]))[0]!;
    if (jobs.length === 0) return view;
    return { ...view, ai_processing: { triggered_jobs: jobs, record_id: row.id, processing_mode: 'async' } };
  }

  private async showQueued(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    row: RecordRow,
    jobs: TriggeredJob[],
    facts: ValueFacts,
  ): Promise<RecordView> {
    const records = await this.labels.toHostRecords(em, principal.tenantId, pipeline, [row]);
    const queued = new Map(jobs.map(({ field, job_id }) => [subjectOf(row.id, field), job_id]));
    const ai = showValues(facts, records, queued).get(row.id) ?? {};
    return this.view(principal, pipeline, row, { facts, ai });
  }

  private view(
    { roles }: Principal,
    pipeline: Pipeline,
    row: RecordRow,
    shown?: { facts: ValueFacts; ai: Record<string, AiValueView> },
  ): RecordView {
    const view = {
      id: row.id,
      pipeline_id: row.pipeline_id,
      data: knownValues(pipeline, row.data),
      version: Number(row.version),
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
      ai: shown?.ai ?? {},
    };
    const sight = shown
      ? sightOfFacts(shown.facts, roles, row.id)
      : fieldSight(pipeline.fields, roles, new Map());
    return shownRecord(view, sight);
  }
}
