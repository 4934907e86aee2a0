import { keyOf } from './documents.js';
import type { Reading } from './facts.js';
import { hashNumber } from './hash.js';
import type { JsonSchema } from './json-schema.js';
import { oneSentence, plain, summarise, tagline } from './prose.js';
import { dateBy, numberIn } from './scalars.js';

/** Where in the document a value stands. */
export interface Spot {
  /** The property it is the value of; of an item, that of its array. */
  name: string;
  path: string;
  /** Place in an array. */
  index?: number;
}

const LONGEST_STRING = 100_000;
const PADDING = ' More of the same is known from the record.';

/** A number inside the bounds of a schema: that of a fact with the same name where it fits. */
export function numberFor(schema: JsonSchema, integer: boolean, spot: Spot, reading: Reading): number {
  const step = positive(schema.multipleOf) ?? (integer ? 1 : undefined);
  const { low, high } = bounds(schema, step ?? 1e-6);
  const known = numberIn(factValue(spot, reading) ?? '');
  const fits = known !== undefined && known >= low && known <= high;
  if (fits && (step === undefined || Number.isInteger(known / step))) return known;
  const range = usualRange(low, high, integer, spot.name);
  const share = (hashNumber(seedOf(spot, reading)) % 101) / 100;
  if (step === undefined)
    return Math.min(high, Math.max(low, round(range.from + share * (range.to - range.from))));
  const first = Math.ceil(range.from / step);
  const last = Math.max(first, Math.floor(range.to / step));
  return round((first + Math.floor(share * (last - first))) * step);
}

function bounds(schema: JsonSchema, gap: number): { low: number; high: number } {
  const number = (keyword: string, none: number) =>
    typeof schema[keyword] === 'number' ? schema[keyword] : none;
  return {
    low: Math.max(number('minimum', -Infinity), number('exclusiveMinimum', -Infinity) + gap),
    high: Math.min(number('maximum', Infinity), number('exclusiveMaximum', Infinity) - gap),
  };
}

/** Where a schema sets no bound, a score is between 1 and 100 and a probability between 0 and 1. */
function usualRange(low: number, high: number, integer: boolean, name: string): { from: number; to: number } {
  const share = !integer && /confidence|probability|likelihood|ratio/i.test(name);
  const usual = share ? { from: 0, to: 1 } : { from: 1, to: 100 };
  const span = usual.to - usual.from;
  const from = low > -Infinity ? low : Math.min(usual.from, high - span);
  return { from, to: high < Infinity ? high : Math.max(usual.to, from + span) };
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function round(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}

/** A string of the format and length a schema asks for. */
export function stringFor(schema: JsonSchema, spot: Spot, reading: Reading): string {
  const least = Math.min(positive(schema.minLength) ?? 0, LONGEST_STRING);
  const most = typeof schema.maxLength === 'number' ? Math.max(0, schema.maxLength) : LONGEST_STRING;
  const format = typeof schema.format === 'string' ? FORMATS[schema.format] : undefined;
  const known = factValue(spot, reading);
  if (format) return known !== undefined && format.accepts.test(known) ? known : format.make(spot, reading);
  const pattern = patternOf(schema.pattern);
  if (pattern) return candidates(spot, reading).find((text) => pattern.test(text)) ?? text(spot, reading);
  return ofLength(known ?? text(spot, reading), least, most);
}

function text(spot: Spot, reading: Reading): string {
  const name = spot.name.toLowerCase();
  if (/tagline|slogan|headline|subject_line/.test(name)) return tagline(reading);
  if (/^(name|title|subject|company|record|entity)$|_name$/.test(name)) return reading.subject;
  if (spot.index !== undefined) return itemText(spot, reading);
  if (/pitch|sentence|reason|rationale|explanation|justification/.test(name)) return oneSentence(reading);
  return summarise(reading);
}

/** One fact for each item of a list of strings. */
function itemText({ name, index = 0 }: Spot, reading: Reading): string {
  const fact = reading.facts[index];
  if (fact) return `${fact.label}: ${plain(fact)}`;
  return `${(name || 'item').replaceAll('_', ' ')} ${index + 1} of ${reading.subject}`;
}

function ofLength(value: string, least: number, most: number): string {
  const missing = Math.max(0, least - lengthOf(value));
  const whole = value + PADDING.repeat(Math.ceil(missing / PADDING.length));
  if (lengthOf(whole) <= most) return whole;
  const cut = [...whole].slice(0, most).join('');
  const atWord = cut.replace(/\s+\S*$/, '');
  return lengthOf(atWord) >= Math.max(least, 1) ? atWord : cut;
}

/** JSON Schema counts characters, not UTF-16 units. */
function lengthOf(value: string): number {
  return [...value].length;
}

function factValue(spot: Spot, reading: Reading): string | undefined {
  if (spot.index !== undefined || spot.name === '') return undefined;
  const key = keyOf(spot.name);
  const exact = reading.facts.find(({ label }) => keyOf(label) === key);
  return (exact ?? reading.facts.find(({ label }) => keyOf(label).split('_').includes(key)))?.value;
}

function candidates(spot: Spot, reading: Reading): string[] {
  const values = reading.facts.map(({ value }) => value);
  return [
    ...values,
    reading.subject,
    keyOf(reading.subject),
    'A',
    'AB',
    'ABC',
    'a',
    '0',
    '00',
    '000',
    '0000',
    '00000',
    dateBy(spot.path),
    '+15550100',
    'a@b.example',
  ];
}

function patternOf(pattern: unknown): RegExp | undefined {
  if (typeof pattern !== 'string' || pattern.length > 500) return undefined;
  try {
    return new RegExp(pattern, 'u');
  } catch {
    // A pattern that is none shapes nothing.
    return undefined;
  }
}

function seedOf(spot: Spot, reading: Reading): string {
  return `${spot.path}\u0000${reading.subject}\u0000${reading.facts.map(({ value }) => value).join('\u0000')}`;
}

function hex(spot: Spot, reading: Reading, digits: number): string {
  let made = '';
  for (let part = 0; made.length < digits; part++) {
    made += hashNumber(`${part}${seedOf(spot, reading)}`)
      .toString(16)
      .padStart(8, '0');
  }
  return made.slice(0, digits);
}

function site(reading: Reading): string {
  const name = reading.subject
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return `${name || 'record'}.example`;
}

interface Format {
  accepts: RegExp;
  make(spot: Spot, reading: Reading): string;
}

const FORMATS: Partial<Record<string, Format>> = {
  date: {
    accepts: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])$/,
    make: (spot, reading) => dateBy(seedOf(spot, reading)),
  },
  'date-time': {
    accepts: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/,
    make: (spot, reading) => `${dateBy(seedOf(spot, reading))}T09:00:00Z`,
  },
  time: { accepts: /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/, make: () => '09:00:00Z' },
  duration: {
    accepts: /^P\d+D$/,
    make: (spot, reading) => `P${1 + (hashNumber(seedOf(spot, reading)) % 30)}D`,
  },
  email: { accepts: /^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$/, make: (_spot, reading) => `contact@${site(reading)}` },
  hostname: { accepts: /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, make: (_spot, reading) => site(reading) },
  uri: {
    accepts: /^https?:\/\/[\w.-]+(?:\/[\w./-]*)?$/,
    make: (_spot, reading) => `https://${site(reading)}/`,
  },
  ipv4: {
    accepts: /^(?:\d{1,2}\.){3}\d{1,2}$/,
    make: (spot, reading) => `192.0.2.${1 + (hashNumber(seedOf(spot, reading)) % 250)}`,
  },
  ipv6: {
    accepts: /^2001:db8::[0-9a-f]{1,4}$/,
    make: (spot, reading) => `2001:db8::${hex(spot, reading, 4)}`,
  },
  uuid: {
    accepts: /^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    make: (spot, reading) => {
      const digits = hex(spot, reading, 30);
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(12, 15)}-8${digits.slice(15, 18)}-${digits.slice(18, 30)}`;
    },
  },
};
