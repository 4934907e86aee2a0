import type { Fact, Reading } from './facts.js';
import { summarise } from './prose.js';

const KEYS =
  /\b(?:keys?|fields?|properties|attributes)\s*(?:named|called|are)?\s*:?\s*(["'`]?[\w-]{1,40}["'`]?(?:(?:\s*,\s*(?:and\s+)?|\s+(?:and|or)\s+|\s*&\s*)["'`]?[\w-]{1,40}["'`]?){0,30})/i;
const PLAIN_WORDS = new Set([
  'and',
  'or',
  'the',
  'with',
  'for',
  'in',
  'of',
  'as',
  'only',
  'json',
  'object',
  'are',
  'is',
  'no',
  'other',
]);

/** The facts under keys, or the keys the prompt names, as one flat object. */
export function factObject(reading: Reading, system: string): Record<string, string> {
  const entries = reading.facts.map(({ label, value }): [string, string] => [keyOf(label), value]);
  const known = new Map(entries);
  const asked = keysIn(reading.instructions) ?? keysIn(system);
  if (asked)
    return Object.fromEntries(asked.map((key) => [key, known.get(keyOf(key)) ?? summarise(reading)]));
  return known.size > 0 ? Object.fromEntries(known) : { summary: summarise(reading) };
}

function keysIn(text: string): string[] | undefined {
  const list = KEYS.exec(text)?.[1];
  const keys = list?.match(/[\w-]+/g)?.filter((word) => !PLAIN_WORDS.has(word.toLowerCase()));
  return keys && keys.length > 0 ? [...new Set(keys)] : undefined;
}

/** A label as a key: `Headquarters Location` → `headquarters_location`. */
export function keyOf(label: string): string {
  const key = label
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  return /^\p{L}/u.test(key) ? key : `field_${key}`;
}

export function yamlOf(values: Record<string, string>): string {
  return Object.entries(values)
    .map(
      ([key, value]) =>
        `${key}: ${/^[\p{L}][\p{L}\p{N} .,'()-]*$/u.test(value) && !/^(true|false|yes|no|null|on|off|y|n)$/i.test(value) ? value : JSON.stringify(value)}`,
    )
    .join('\n');
}

export function xmlOf(values: Record<string, string>): string {
  const members = Object.entries(values).map(([key, value]) => `  <${key}>${escapeMarkup(value)}</${key}>`);
  return ['<record>', ...members, '</record>'].join('\n');
}

export function htmlOf(reading: Reading): string {
  const rows = reading.facts
    .slice(0, 8)
    .map((fact) => `  <li><strong>${escapeMarkup(fact.label)}:</strong> ${escapeMarkup(fact.value)}</li>`);
  const list = rows.length > 0 ? `\n<ul>\n${rows.join('\n')}\n</ul>` : '';
  return `<p>${escapeMarkup(summarise({ ...reading, facts: reading.facts.slice(0, 3) }))}</p>${list}`;
}

export function markdownOf(reading: Reading): string {
  const rows = reading.facts.slice(0, 8).map(({ label, value }: Fact) => `- **${label}:** ${value}`);
  return [`## ${reading.subject}`, '', ...(rows.length > 0 ? rows : [summarise(reading)])].join('\n');
}

function escapeMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
