import type { Json } from '#libs/common';

/** Every type a field of a pipeline can have. */
export const FIELD_TYPES = [
  'text',
  'textarea',
  'number',
  'currency',
  'boolean',
  'date',
  'select',
  'multi_select',
  'email',
  'phone',
  'url',
  'relation',
  'json',
  'ai_generated',
] as const;

export type FieldType = (typeof FIELD_TYPES)[number];

export interface FieldOptions {
  /** What a `select` or `multi_select` offers. */
  choices?: string[];
  /** ISO 4217 code of a `currency`. */
  currency?: string;
  /** The pipeline a `relation` points into. */
  pipeline_id?: string;
}

/** A field of a pipeline as the host describes it. */
export interface HostField {
  /** Identifier, unique within the pipeline: `^[a-z][a-z0-9_]*$`. */
  slug: string;
  /** Label for people. */
  name: string;
  fieldType: FieldType;
  options?: FieldOptions;
  /** A sensitive field never reaches a prompt or anything kept. */
  sensitive?: boolean;
  /**
   * The roles of principals that see its values; absent or null for all, and an `owner` sees them whatever stands here.
   * AI values made from it are hidden with it, unless their own field has a list. Prompts read it all the same.
   */
  visibleTo?: readonly string[] | null;
}

export interface HostPipeline {
  id: string;
  name: string;
  /** Changes whenever a field, or the AI configuration of one, changes. */
  version: string;
  /** In the order people see them. */
  fields: HostField[];
}

/**
 * A record as it is now. A value is absent or `null` where there is none; a `relation` is
 * `{id, label}` (or a list of them), so that a prompt can show what it points to.
 */
export interface HostRecord {
  id: string;
  pipelineId: string;
  /** The pipeline's {@link HostPipeline.version} when the record was read. */
  pipelineVersion: string;
  values: Record<string, Json>;
}
