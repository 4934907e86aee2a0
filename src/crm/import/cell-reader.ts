import type { EntityManager } from 'typeorm';
import type { ValueReaders } from '#libs/ai-fields';
import type { HostField } from '#libs/host';
import { aiFieldsAmong, type Pipeline } from '../pipelines/pipeline.js';
import { parseCell, type ParsedCell } from '../values/parse-cell.js';

export type CellReader = (field: HostField, text: string) => ParsedCell;

/** Reads the cells of a table; those of AI fields as the plugin reads answers. */
export async function cellReader(
  readers: ValueReaders,
  em: EntityManager,
  tenantId: string,
  pipeline: Pipeline,
  columns: readonly string[],
): Promise<CellReader> {
  if (aiFieldsAmong(pipeline, columns).length === 0) return parseCell;
  const reader = await readers.of(em, tenantId, pipeline);
  return (field, text) =>
    field.fieldType === 'ai_generated' && text.trim() !== ''
      ? reader.read(field.slug, text)
      : parseCell(field, text);
}
