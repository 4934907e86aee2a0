import type { Json } from '#libs/common';
import type { Pipeline } from '../pipelines/pipeline.js';

/** A record as its row holds it. */
export interface RecordRow {
  id: string;
  pipeline_id: string;
  data: Record<string, Json>;
  /** A bigint, as text. */
  version: string;
  created_at: Date;
  updated_at: Date;
}

/** The values of a record under the fields that its pipeline has now, in their order. */
export function knownValues(pipeline: Pipeline, data: Record<string, Json>): Record<string, Json> {
  const present = pipeline.fields.filter(({ slug }) => Object.hasOwn(data, slug));
  return Object.fromEntries(present.map(({ slug }) => [slug, data[slug] ?? null]));
}
