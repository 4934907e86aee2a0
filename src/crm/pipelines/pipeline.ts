import { unseenFields, type Role } from '#libs/access';
import type { FieldOptions, FieldType, HostField, HostPipeline } from '#libs/host';
import { isDenied } from '#libs/prompt-language';

/** A field as this host keeps it. */
export interface CrmField extends HostField {
  options: FieldOptions;
  sensitive: boolean;
  visibleTo?: readonly Role[] | null;
  required: boolean;
}

/** A pipeline as this host keeps it. */
export interface Pipeline extends HostPipeline {
  slug: string;
  fields: CrmField[];
  createdAt: string;
  updatedAt: string;
}

const LABELLING: readonly FieldType[] = ['text', 'textarea', 'email', 'phone', 'url'];

/**
 * Whether the field can be what relations show of a record. Which of these is the first that everybody may see, and so the
 * label, changes with the fields, their lists and the tenant's deny list.
 */
export function mayLabel({ fieldType }: CrmField): boolean {
  return LABELLING.includes(fieldType);
}

/** What relations show of a record, the id where there is none: the first text that everybody may see. */
export function labelField({ fields }: Pipeline, denied: readonly string[]): CrmField | undefined {
  return fields.find(
    (field) => mayLabel(field) && !field.sensitive && !field.visibleTo && !isDenied(field.slug, denied),
  );
}

/** The field of a pipeline with this slug. */
export function fieldOf(pipeline: Pipeline, slug: string): CrmField | undefined {
  return pipeline.fields.find((field) => field.slug === slug);
}

export function hasAiFields(pipeline: HostPipeline): boolean {
  return pipeline.fields.some((field) => field.fieldType === 'ai_generated');
}

/** Those of the slugs that are AI fields. */
export function aiFieldsAmong({ fields }: HostPipeline, slugs: readonly string[]): string[] {
  return fields
    .filter(({ slug, fieldType }) => fieldType === 'ai_generated' && slugs.includes(slug))
    .map(({ slug }) => slug);
}

/** The fields that these roles may give values for. A required one that they cannot see is not required of them. */
export function writableFields({ fields }: Pipeline, roles: readonly string[]): CrmField[] {
  const unseen = unseenFields(fields, roles);
  return fields.filter(({ slug }) => !unseen.has(slug));
}
