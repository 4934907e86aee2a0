import type { Json } from '#libs/common';
import type { HostField } from '#libs/host';
import { isoDate } from './dates.js';
import { formatCurrency, plainNumber } from './numbers.js';

/**
 * A field's value as it reads in a prompt. The same for everyone: no locale, no time zone.
 *
 * @returns an empty text where there is no value
 * @example formatValue({ fieldType: 'currency', options: { currency: 'EUR' } }, 1234.5) // 'EUR 1,234.50'
 */
export function formatValue(
  field: Pick<HostField, 'fieldType' | 'options'>,
  value: Json | undefined,
): string {
  if (value === null || value === undefined) return '';
  switch (field.fieldType) {
    case 'currency':
      return typeof value === 'number' || typeof value === 'string'
        ? formatCurrency(value, field.options?.currency)
        : formatJson(value);
    case 'date':
      return typeof value === 'string' ? isoDate(value) : formatJson(value);
    case 'relation':
      return formatItem(value);
    default:
      return formatJson(value);
  }
}

/**
 * A value without a field type: texts as they are, numbers in plain digits, `true` or `false`, a list of these
 * as `a, b`, anything else as compact JSON.
 */
export function formatJson(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return plainNumber(value);
  if (value === null || value === undefined) return '';
  if (Array.isArray(value) && value.every(isScalar))
    return value
      .filter((item) => item !== null)
      .map(formatJson)
      .join(', ');
  return JSON.stringify(value);
}

/** Like {@link formatJson}, but a relation `{id, label}`, or a list of them, reads as its label. */
export function formatItem(value: Json | undefined): string {
  if (Array.isArray(value) && value.length > 0 && value.every(isRelation)) {
    return value.map(formatItem).join(', ');
  }
  if (!isRelation(value)) return formatJson(value);
  return formatJson(value.label === null || value.label === '' ? value.id : value.label);
}

function isScalar(value: Json): boolean {
  return value === null || typeof value !== 'object';
}

function isRelation(value: Json | undefined): value is { id: Json; label: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'id' in value && 'label' in value && Object.keys(value).length === 2;
}
