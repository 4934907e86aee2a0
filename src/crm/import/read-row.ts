import type { ErrorDetail, Json } from '#libs/common';
import type { CrmField } from '../pipelines/pipeline.js';
import { dataErrors } from '../values/check-data.js';
import { parseCell } from '../values/parse-cell.js';
import type { CellReader } from './cell-reader.js';

/** The values of a row, or everything that is wrong with it. */
export type ReadRow = { values: Record<string, Json> } | { errors: ErrorDetail[] };

/**
 * Reads the cells of one row as the types of their fields and checks them as a new record.
 *
 * @param readCell reads one cell; default {@link parseCell}, which takes a cell of an AI field for a text.
 */
export function readRow(
  fields: readonly CrmField[],
  columns: readonly string[],
  cells: readonly string[],
  readCell: CellReader = parseCell,
): ReadRow {
  if (cells.length !== columns.length) {
    return refused(`The row has ${cells.length} cells, the header has ${columns.length}.`);
  }
  if (cells.every((cell) => cell.trim() === '')) return refused('The row is empty.');
  const bySlug = new Map(fields.map((field) => [field.slug, field]));
  const values: Record<string, Json> = {};
  const errors: ErrorDetail[] = [];
  columns.forEach((slug, index) => {
    const cell = readCell(bySlug.get(slug) as CrmField, cells[index] ?? '');
    if ('problem' in cell) errors.push({ path: `data.${slug}`, message: cell.problem });
    else if (cell.value !== null) values[slug] = cell.value;
  });
  const unread = new Set(errors.map(({ path }) => path));
  errors.push(...dataErrors(fields, values, true).filter(({ path }) => !unread.has(path)));
  return errors.length > 0 ? { errors } : { values };
}

function refused(message: string): ReadRow {
  return { errors: [{ path: '', message }] };
}
