import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import {
  JobStore,
  LANE,
  MAX_DEPTH,
  type JobOrigin,
  type Lane,
  type NewJob,
  type Priority,
} from '#libs/processing';
import { DEFAULT_DEBOUNCE_MS } from '../config/ai-config.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { FIELD_GENERATION, subjectOf } from './subject.js';

/** Why and as whom fields are generated. */
export interface GenerationCause {
  origin: JobOrigin;
  principalId: string;
  lane: Lane;
  causedBy?: string;
  depth?: number;
  force?: boolean;
  priority?: Priority;
  runId?: string;
}

/** Makes the jobs that generate values. */
@Injectable()
export class GenerationQueue {
  constructor(private readonly jobs: JobStore) {}

  /** @returns the id of the job of each (record, field), in order. */
  async enqueue(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
    wanted: readonly { recordId: string; field: string; cause: GenerationCause }[],
  ): Promise<string[]> {
    const jobs = wanted.map(({ recordId, field, cause }) => newJob(compiled, recordId, field, cause));
    return this.jobs.enqueue(em, tenantId, jobs);
  }
}

/** Whether a chain of values that make values due has become too long to go on. */
export function tooDeep(depth: number): boolean {
  return depth > MAX_DEPTH;
}

function newJob(compiled: CompiledPipeline, recordId: string, slug: string, cause: GenerationCause): NewJob {
  const upstream = [...(compiled.upstream.get(slug) ?? [])].map((field) => subjectOf(recordId, field));
  const debounceMs = compiled.fields.get(slug)?.config.debounce_ms ?? DEFAULT_DEBOUNCE_MS;
  const paced = cause.lane === LANE.interactive && !cause.force ? debounceMs : 0;
  return {
    jobType: FIELD_GENERATION,
    pipelineId: compiled.pipeline.id,
    recordId,
    field: slug,
    subject: subjectOf(recordId, slug),
    upstream,
    debounceMs: paced,
    ...cause,
  };
}
