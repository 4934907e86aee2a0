import { InvalidInputError, type ErrorDetail } from '#libs/common';
import type { FieldDto } from '../dto/pipeline.dto.js';
import { fieldErrors } from './field-rules.js';
import type { CrmField } from './pipeline.js';
import { deriveSlug } from './slugs.js';

/**
 * Fields of the API as fields to keep, with their slugs.
 *
 * @param prefixOf the path of the nth field in the input, such as `fields.0.`
 * @throws InvalidInputError with everything that is wrong with any of them.
 */
export function newFields(
  dtos: FieldDto[],
  taken: ReadonlySet<string>,
  prefixOf: (n: number) => string,
): CrmField[] {
  const slugs = new Set(taken);
  const errors: ErrorDetail[] = [];
  for (const [n, { slug }] of dtos.entries()) {
    if (!slug) continue;
    if (slugs.has(slug))
      errors.push({ path: `${prefixOf(n)}slug`, message: `There is a field "${slug}" already.` });
    slugs.add(slug);
  }
  const fields = dtos.map((dto) => toField(dto, dto.slug ?? nextSlug(dto.name, slugs)));
  dtos.forEach((dto, n) =>
    errors.push(...definitionErrors(fields[n] as CrmField, Boolean(dto.ai_config), prefixOf(n))),
  );
  if (errors.length > 0) throw new InvalidInputError(errors);
  return fields;
}

/** Everything wrong with a field's definition, paths with the prefix. */
export function definitionErrors(field: CrmField, hasAiConfig: boolean, prefix = ''): ErrorDetail[] {
  const { fieldType, required } = field;
  const errors = fieldErrors({ fieldType, required, options: { ...field.options }, hasAiConfig });
  return errors.map(({ path, message }) => ({ path: prefix + path, message }));
}

function toField(dto: FieldDto, slug: string): CrmField {
  return {
    slug,
    name: dto.name,
    fieldType: dto.field_type,
    options: dto.options ?? {},
    sensitive: dto.sensitive ?? false,
    visibleTo: dto.visible_to,
    required: dto.required ?? false,
  };
}

function nextSlug(name: string, taken: Set<string>): string {
  const slug = deriveSlug(name, taken);
  taken.add(slug);
  return slug;
}
