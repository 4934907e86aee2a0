import type { Json } from '#libs/common';
import type { HostField } from '#libs/host';

/** What a cell of a table holds: a value (null for an empty cell), or why it holds none. */
export type ParsedCell = { value: Json } | { problem: string };

const GROUPED = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const PLAIN = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?$/i;
const BOOLEANS = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
]);

/**
 * Reads the text of a table cell as the type of its field. Whether the value then fits the field is for
 * `valueProblem` to say.
 *
 * @example parseCell({ slug: 'size', name: 'Size', fieldType: 'number' }, '1,234.5') // { value: 1234.5 }
 */
export function parseCell(field: HostField, text: string): ParsedCell {
  const trimmed = text.trim();
  if (trimmed === '') return { value: null };
  switch (field.fieldType) {
    case 'number':
    case 'currency':
      return parseNumber(trimmed);
    case 'boolean':
      return parseBoolean(trimmed);
    case 'multi_select':
      return { value: (field.options?.choices ?? []).includes(trimmed) ? [trimmed] : splitList(trimmed) };
    case 'relation':
      return parseRelation(trimmed);
    case 'json':
      return parseJson(trimmed);
    case 'select':
    case 'email':
    case 'phone':
    case 'url':
    case 'date':
      return { value: trimmed };
    case 'text':
    case 'textarea':
    case 'ai_generated':
      return { value: text };
  }
}

function parseNumber(text: string): ParsedCell {
  const plain = GROUPED.test(text) ? text.replaceAll(',', '') : text;
  const number = PLAIN.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(number) ? { value: number } : { problem: 'Must be a number such as 1,234.5.' };
}

function parseBoolean(text: string): ParsedCell {
  const value = BOOLEANS.get(text.toLowerCase());
  return value === undefined ? { problem: 'Must be yes, no, true, false, 1 or 0.' } : { value };
}

function parseRelation(text: string): ParsedCell {
  const ids = splitList(text);
  return { value: ids.length === 1 ? (ids[0] ?? null) : ids };
}

function parseJson(text: string): ParsedCell {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return { problem: 'Must be JSON.' };
  }
}

function splitList(text: string): string[] {
  const parts = text.split(text.includes(';') ? ';' : ',').map((part) => part.trim());
  return [...new Set(parts.filter((part) => part !== ''))];
}
