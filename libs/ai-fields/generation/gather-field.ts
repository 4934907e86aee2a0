import type { Json } from '#libs/common';
import { JobSkipped } from '#libs/processing';
import { inputsHash, sourcesRead, taintedReads } from '../values/inputs.js';
import { isFallback, sourcesOfValue, type ValueRow } from '../values/value-row.js';
import type { CollectedField } from './collected-field.js';
import { variablesOf } from './prompt-field.js';

/** What was read for one generation. */
export type FieldReadings = Pick<CollectedField, 'compiled' | 'field' | 'settings' | 'record' | 'names'>;

/**
 * Puts together what a field is generated from.
 *
 * @param rows the AI values of its record.
 * @param force whether a field that is generated only while empty is generated all the same.
 * @throws JobSkipped where nothing is to be generated as things stand: `overridden`, `not_empty`, `condition_not_met`.
 */
export function gatherField(read: FieldReadings, rows: readonly ValueRow[], force: boolean): CollectedField {
  const { compiled, field, record } = read;
  const row = rows.find((candidate) => candidate.field === field.field.slug);
  if (row?.overridden && field.config.on_manual_edit !== 'overwrite') {
    throw new JobSkipped('overridden', 'A person wrote this value: reset it to have it generated.');
  }
  if (field.config.only_if_empty && !force && !hasNoValue(record.values[field.field.slug], row)) {
    throw new JobSkipped('not_empty', 'The field has a value, and is generated only if it is empty.');
  }
  const sourcesByField = new Map(rows.map((value) => [value.field, sourcesOfValue(value)]));
  const left = taintedReads(field, sourcesByField);
  const collected: CollectedField = {
    ...read,
    row,
    left,
    sources: sourcesRead(field, left, sourcesByField),
    inputsHash: inputsHash(field, compiled.pipeline.name, record.values, left),
  };
  const { condition } = field;
  if (
    condition &&
    !condition.holds({ values: record.values, variables: variablesOf(collected), exclude: left })
  ) {
    throw new JobSkipped('condition_not_met', "The field's condition does not hold for this record.");
  }
  return collected;
}

/** A fallback stands for the lack of a value, and must not keep one from being made. */
function hasNoValue(value: Json | undefined, row: ValueRow | undefined): boolean {
  return isEmpty(value) || (row !== undefined && isFallback(row));
}

function isEmpty(value: Json | undefined): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}
