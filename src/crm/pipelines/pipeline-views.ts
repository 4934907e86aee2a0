import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Role } from '#libs/access';
import { AiFieldConfigs } from '#libs/ai-fields';
import type { Json } from '#libs/common';
import type { FieldOptions, FieldType } from '#libs/host';
import { hasAiFields, type CrmField, type Pipeline } from './pipeline.js';

/** `Field` of the API. */
export interface FieldView {
  name: string;
  slug: string;
  field_type: FieldType;
  required: boolean;
  options: FieldOptions;
  sensitive: boolean;
  /** The roles that see its values; not there where all do. */
  visible_to?: readonly Role[];
  ai_config?: Record<string, Json>;
  /** What the admin should know of the configuration that was saved just now. */
  warnings?: string[];
}

/** A pipeline as the API shows it. */
export interface PipelineView {
  id: string;
  name: string;
  slug: string;
  version: string;
  fields: FieldView[];
  created_at: string;
  updated_at: string;
}

/** Shows pipelines with the configurations of their AI fields, which the plugin keeps. */
@Injectable()
export class PipelineViews {
  constructor(private readonly configs: AiFieldConfigs) {}

  async show(em: EntityManager, tenantId: string, pipeline: Pipeline): Promise<PipelineView> {
    const configs = hasAiFields(pipeline) ? await this.configs.read(em, tenantId, pipeline.id) : {};
    const { id, name, slug, version, createdAt, updatedAt } = pipeline;
    const fields = pipeline.fields.map((field) => showField(field, configs[field.slug]));
    return { id, name, slug, version, fields, created_at: createdAt, updated_at: updatedAt };
  }
}

/** A field as the API shows it, with its configuration where it is given. */
export function showField(field: CrmField, config?: Record<string, Json>): FieldView {
  const { name, slug, fieldType, required, options, sensitive, visibleTo } = field;
  const limit = visibleTo ? { visible_to: visibleTo } : {};
  const view = { name, slug, field_type: fieldType, required, options, sensitive, ...limit };
  return config ? { ...view, ai_config: config } : view;
}
