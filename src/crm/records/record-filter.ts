import { InvalidInputError, type ErrorDetail, type Json } from '#libs/common';
import { fieldOf, type CrmField, type Pipeline } from '../pipelines/pipeline.js';
import { didYouMean } from '../values/nearest-names.js';
import { parseCell } from '../values/parse-cell.js';

/** The values that a field may have, by slug; a list field must have all that are named for it. */
export type RecordFilter = Record<string, Json[]>;

/**
 * Reads filters such as `filter[city]=Ulm` as the types of their fields.
 *
 * @throws InvalidInputError naming every filter that is wrong.
 */
export function readFilter(pipeline: Pipeline, texts: ReadonlyMap<string, string>): RecordFilter {
  const errors: ErrorDetail[] = [];
  const filter: RecordFilter = {};
  for (const [slug, text] of texts) {
    const wanted = wantedValues(pipeline, slug, text);
    if (typeof wanted === 'string') errors.push({ path: `filter[${slug}]`, message: wanted });
    else filter[slug] = wanted;
  }
  if (errors.length > 0) throw new InvalidInputError(errors);
  return filter;
}

function wantedValues(pipeline: Pipeline, slug: string, text: string): Json[] | string {
  const field = fieldOf(pipeline, slug);
  if (!field)
    return `There is no field "${slug}"${
      didYouMean(
        slug,
        pipeline.fields.map((known) => known.slug),
      ) || '.'
    }`;
  if (field.fieldType === 'json') return 'A json field cannot be filtered by.';
  if (text.includes('\0')) return 'May not hold NUL.';
  const cell = parseCell(field, text);
  if ('problem' in cell) return cell.problem;
  return field.fieldType === 'ai_generated'
    ? aiValues(text)
    : Array.isArray(cell.value)
      ? cell.value
      : [cell.value];
}

/** An AI field may hold a number or a boolean just as well as the text of it. */
function aiValues(text: string): Json[] {
  const number = parseCell(asType('number'), text);
  const boolean = parseCell(asType('boolean'), /^(true|false)$/.test(text) ? text : '');
  const typed = [number, boolean].flatMap((cell) =>
    'value' in cell && cell.value !== null ? [cell.value] : [],
  );
  return text.trim() === '' ? [null] : [text, ...typed];
}

function asType(fieldType: 'number' | 'boolean'): CrmField {
  return { slug: fieldType, name: fieldType, fieldType, options: {}, sensitive: false, required: false };
}
