import type { Json } from '#libs/common';
import { isId } from '#libs/common';
import type { HostField } from '#libs/host';
import { isEmail } from '../../auth/email.js';
import { jsonProblem } from './json-bounds.js';
import { isCalendarDate, isPhone, isUnstorable, isUrl } from './text-formats.js';

/** UTF-16 units of a `text`. */
export const MAX_TEXT = 10_000;
/** UTF-16 units of a `textarea`, and of a text written into an AI field. */
export const MAX_TEXTAREA = 1_000_000;
const MAX_LIST = 500;
const JSON_BOUNDS = { maxBytes: 65_536, maxDepth: 20 };

/**
 * What is wrong with a value for a field, or undefined; `null` clears a value and is never wrong here. Whether a
 * relation's records exist is not known here. Messages do not repeat the value.
 *
 * @example valueProblem({ slug: 'since', name: 'Since', fieldType: 'date' }, '2026-02-30') // 'Must be a date …'
 */
export function valueProblem(field: HostField, value: Json): string | undefined {
  if (value === null) return undefined;
  switch (field.fieldType) {
    case 'text':
      return textProblem(value, MAX_TEXT);
    case 'textarea':
      return textProblem(value, MAX_TEXTAREA);
    case 'email':
      return formatProblem(value, isEmail, 'Must be an e-mail address such as name@example.com.');
    case 'phone':
      return formatProblem(value, isPhone, 'Must be a phone number such as +49 30 1234567.');
    case 'url':
      return formatProblem(
        value,
        isUrl,
        'Must be a web address such as https://example.com, at most 2,048 characters.',
      );
    case 'date':
      return formatProblem(value, isCalendarDate, 'Must be a date as YYYY-MM-DD.');
    case 'number':
    case 'currency':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'Must be a finite number.';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'Must be true or false.';
    case 'select':
      return choices(field).includes(value as string) ? undefined : `Must be ${offered(field)}.`;
    case 'multi_select':
      return listProblem(
        value,
        (item) => choices(field).includes(item),
        `Must be a list of ${offered(field)}.`,
      );
    case 'relation':
      return relationProblem(value);
    case 'json':
      return jsonProblem(value, JSON_BOUNDS);
    case 'ai_generated':
      return typeof value === 'string' ? textProblem(value, MAX_TEXTAREA) : jsonProblem(value, JSON_BOUNDS);
  }
}

/** The ids in a value of a relation. */
export function relatedIds(value: Json | undefined): string[] {
  const ids = Array.isArray(value) ? value : [value];
  return ids.filter((id): id is string => typeof id === 'string');
}

function textProblem(value: Json, max: number): string | undefined {
  if (typeof value !== 'string') return 'Must be a text.';
  if (value.length > max) return `Too long: at most ${max.toLocaleString('en')} characters.`;
  return isUnstorable(value) ? 'May not hold NUL or broken characters.' : undefined;
}

function formatProblem(value: Json, fits: (text: string) => boolean, problem: string): string | undefined {
  return typeof value === 'string' && !isUnstorable(value) && fits(value) ? undefined : problem;
}

function relationProblem(value: Json): string | undefined {
  const problem = 'Must be the id of a record, or a list of ids.';
  return Array.isArray(value) ? listProblem(value, isId, problem) : isId(value) ? undefined : problem;
}

function listProblem(value: Json, fits: (item: string) => boolean, problem: string): string | undefined {
  if (!Array.isArray(value)) return problem;
  if (value.length > MAX_LIST) return `Too many: at most ${MAX_LIST}.`;
  if (!value.every((item) => typeof item === 'string' && fits(item))) return problem;
  return new Set(value).size === value.length ? undefined : 'Names something twice.';
}

function choices({ options }: HostField): string[] {
  return options?.choices ?? [];
}

function offered(field: HostField): string {
  const all = choices(field);
  const shown = all.slice(0, 20).map((choice) => JSON.stringify(choice));
  const more = all.length > shown.length ? ` and ${all.length - shown.length} more` : '';
  return `one of ${shown.join(', ')}${more}`;
}
