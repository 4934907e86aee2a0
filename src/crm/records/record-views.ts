import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  AiValueViews,
  showValues,
  subjectOf,
  type AiValueView,
  type TriggeredJob,
  type ValueFacts,
} from '#libs/ai-fields';
import type { Json } from '#libs/common';
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

  async show(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    rows: RecordRow[],
  ): Promise<RecordView[]> {
    const ai = await this.describe(em, tenantId, pipeline, rows);
    return rows.map((row) => this.view(pipeline, row, ai.get(row.id) ?? {}));
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
    tenantId: string,
    pipeline: Pipeline,
    row: RecordRow,
    jobs: TriggeredJob[],
    facts?: ValueFacts,
  ): Promise<RecordView> {
    const view = this.view(pipeline, row, await this.aiOf(em, tenantId, pipeline, row, jobs, facts));
    if (jobs.length === 0) return view;
    return { ...view, ai_processing: { triggered_jobs: jobs, record_id: row.id, processing_mode: 'async' } };
  }

  private async aiOf(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    row: RecordRow,
    jobs: TriggeredJob[],
    facts: ValueFacts | undefined,
  ): Promise<Record<string, AiValueView>> {
    if (!facts) return (await this.describe(em, tenantId, pipeline, [row])).get(row.id) ?? {};
    const records = await this.labels.toHostRecords(em, tenantId, pipeline, [row]);
    const queued = new Map(jobs.map(({ field, job_id }) => [subjectOf(row.id, field), job_id]));
    return showValues(facts, records, queued).get(row.id) ?? {};
  }

  private view(pipeline: Pipeline, row: RecordRow, ai: Record<string, AiValueView>): RecordView {
    return {
      id: row.id,
      pipeline_id: row.pipeline_id,
      data: knownValues(pipeline, row.data),
      version: Number(row.version),
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
      ai,
    };
  }

  private async describe(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    rows: RecordRow[],
  ): Promise<Map<string, Record<string, AiValueView>>> {
    if (rows.length === 0 || !hasAiFields(pipeline)) return new Map();
    const records = await this.labels.toHostRecords(em, tenantId, pipeline, rows);
    return this.values.describe(em, tenantId, pipeline, records);
  }
}
