import { InvalidInputError, type ErrorDetail } from '#libs/common';
import type { CrmField } from '../pipelines/pipeline.js';
import { didYouMean } from '../values/nearest-names.js';

const MAX_COLUMNS = 1_000;

/**
 * The fields that the columns of a table stand for, by slug or by name in any case.
 *
 * @throws InvalidInputError naming every column that is no field, no single one, or there twice.
 */
export function readHeader(fields: readonly CrmField[], cells: readonly string[]): string[] {
  if (cells.length > MAX_COLUMNS) throw new InvalidInputError([tooMany(cells.length)]);
  const errors: ErrorDetail[] = [];
  const slugs = new Map<string, number>();
  cells.forEach((cell, index) => {
    const found = fieldsCalled(fields, cell);
    const slug = found[0]?.slug;
    const twice = slug === undefined ? undefined : slugs.get(slug);
    if (slug === undefined) errors.push(unknown(fields, cell, index));
    else if (found.length > 1) errors.push(ambiguous(found, cell, index));
    else if (twice !== undefined)
      errors.push({ path: column(index), message: `"${slug}" is column ${twice + 1} already.` });
    else slugs.set(slug, index);
  });
  if (errors.length > 0) throw new InvalidInputError(errors);
  return [...slugs.keys()];
}

function fieldsCalled(fields: readonly CrmField[], cell: string): CrmField[] {
  const wanted = cell.trim();
  const bySlug = fields.filter(({ slug }) => slug === wanted);
  if (bySlug.length > 0) return bySlug;
  return fields.filter(({ name }) => name.toLowerCase() === wanted.toLowerCase());
}

function unknown(fields: readonly CrmField[], cell: string, index: number): ErrorDetail {
  const name = cell.trim().slice(0, 100);
  if (name === '') return { path: column(index), message: 'The column has no name.' };
  const near = didYouMean(
    name,
    fields.flatMap((field) => [field.slug, field.name]),
  );
  return { path: column(index), message: `There is no field "${name}"${near || '.'}` };
}

function ambiguous(found: CrmField[], cell: string, index: number): ErrorDetail {
  const slugs = found.map(({ slug }) => slug).join(' or ');
  return { path: column(index), message: `"${cell.trim()}" names several fields: use the slug, ${slugs}.` };
}

function tooMany(count: number): ErrorDetail {
  return {
    path: 'header',
    message: `There are ${count} columns; at most ${MAX_COLUMNS} are read. Is it a CSV file with commas?`,
  };
}

function column(index: number): string {
  return `header.${index + 1}`;
}
