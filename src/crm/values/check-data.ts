import type { ErrorDetail, Json } from '#libs/common';
import type { CrmField } from '../pipelines/pipeline.js';
import { didYouMean } from './nearest-names.js';
import { valueProblem } from './value-problem.js';

const MAX_UNKNOWN = 20;

/**
 * Everything wrong with the values given for a record, each with its path. A record that is new must have every
 * required field; of one that exists no required field may be cleared.
 */
export function dataErrors(
  fields: readonly CrmField[],
  data: Record<string, Json>,
  isNew: boolean,
): ErrorDetail[] {
  const known = new Map(fields.map((field) => [field.slug, field]));
  const unknown = Object.keys(data).filter((slug) => !known.has(slug));
  const wrong = fields.flatMap((field) => fieldErrors(field, data, isNew));
  return [...unknownErrors(unknown, [...known.keys()]), ...wrong];
}

function fieldErrors(field: CrmField, data: Record<string, Json>, isNew: boolean): ErrorDetail[] {
  const isGiven = Object.hasOwn(data, field.slug);
  if (!isGiven && !isNew) return [];
  const value = isGiven ? (data[field.slug] ?? null) : null;
  const path = `data.${field.slug}`;
  if (field.required && isEmpty(value)) return [{ path, message: `"${field.name}" is required.` }];
  const message = valueProblem(field, value);
  return message ? [{ path, message }] : [];
}

function isEmpty(value: Json): boolean {
  return (
    value === null ||
    (typeof value === 'string' && value.trim() === '') ||
    (Array.isArray(value) && value.length === 0)
  );
}

function unknownErrors(unknown: string[], slugs: string[]): ErrorDetail[] {
  const shown = unknown.slice(0, MAX_UNKNOWN).map((key) => {
    const name = key.slice(0, 100);
    return { path: `data.${name}`, message: `There is no field "${name}"${didYouMean(key, slugs) || '.'}` };
  });
  const more = unknown.length - shown.length;
  return more > 0
    ? [...shown, { path: 'data', message: `There are ${more} more names that are no fields.` }]
    : shown;
}
