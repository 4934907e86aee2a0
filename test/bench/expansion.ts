import Handlebars from 'handlebars';
import type { Json } from '#libs/common';
import type { FieldType, HostField } from '#libs/host';
import { compilePrompt, formatValue } from '#libs/prompt-language';
import type { Bench, Figure } from './bench.js';
import { spreadOf } from './spread.js';

const ROUNDS = 15;
const EXPANSIONS = 20_000;

/** Values of a record of 30 fields, by type. */
const KINDS: [FieldType, Json][] = [
  ['text', 'Ada Lovelace'],
  ['textarea', 'Met at the fair in May, wants an offer for three engines and a call next week.'],
  ['number', 42],
  ['currency', 125_000.5],
  ['boolean', true],
  ['date', '2026-11-20'],
  ['select', 'Qualified'],
  ['multi_select', ['north', 'export']],
  ['email', 'ada@example.com'],
  ['relation', { id: 'c1', label: 'Analytical Engines' }],
];
const FIELDS: HostField[] = Array.from({ length: 30 }, (_, i) => ({
  slug: `field_${i}`,
  name: `Field ${i}`,
  fieldType: KINDS[i % KINDS.length]![0],
  ...(KINDS[i % KINDS.length]![0] === 'currency' ? { options: { currency: 'EUR' } } : {}),
}));

const opening =
  'Write to {field_0} of {field_9} about {field_1}, worth {field_3}, before {field_5}.\nWhat is known:\n';

/** A prompt that names five fields and all of them, beside bare Handlebars over the same text. */
export const expansion: Bench = {
  name: 'expansion',
  what: `a 30-field record with {*} and five references, beside bare Handlebars over texts that are formatted already, in turns, ${ROUNDS} × ${EXPANSIONS} of each`,
  run: () => Promise.resolve(measure()),
};

function measure(): Figure[] {
  // Another record each time, as a worker meets it.
  const records = Array.from({ length: 100 }, (_, n) => recordOf(n));
  const texts = records.map(formatted);
  const compiled = compilePrompt(`${opening}{*}`, { fields: FIELDS, variables: [] });
  const lines = FIELDS.map(({ slug, name }) => `${name}: {{${slug}}}`).join('\n');
  const bare = Handlebars.compile(opening.replace(/\{(\w+)\}/g, '{{$1}}') + lines, { noEscape: true });
  const ours = (i: number): string => compiled.expand({ values: records[i % records.length]! });
  const theirs = (i: number): string => bare(texts[i % texts.length]);
  if (ours(7) !== theirs(7)) throw new Error(`Two texts were compared:\n${ours(7)}\n---\n${theirs(7)}`);
  const rates: { ours: number; theirs: number }[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const rate = { ours: perSecond(ours), theirs: perSecond(theirs) };
    if (round >= 0) rates.push(rate);
  }
  return [
    {
      name: 'Fieldsmith',
      unit: 'per second',
      spread: spreadOf(rates.map((rate) => rate.ours)),
      target: { atLeast: 100_000 },
    },
    { name: 'bare Handlebars', unit: 'per second', spread: spreadOf(rates.map((rate) => rate.theirs)) },
    {
      name: 'Fieldsmith / bare Handlebars',
      unit: 'ratio',
      spread: spreadOf(rates.map((rate) => rate.ours / rate.theirs)),
    },
  ];
}

function recordOf(n: number): Record<string, Json> {
  return Object.fromEntries(
    FIELDS.map(({ slug, fieldType }, i) => {
      const value = KINDS[i % KINDS.length]![1];
      return [slug, fieldType === 'text' ? `${String(value)} ${n}` : fieldType === 'number' ? n * i : value];
    }),
  );
}

function formatted(record: Record<string, Json>): Record<string, string> {
  return Object.fromEntries(FIELDS.map((field) => [field.slug, formatValue(field, record[field.slug])]));
}

function perSecond(expand: (i: number) => string): number {
  let chars = 0;
  const started = performance.now();
  for (let i = 0; i < EXPANSIONS; i++) chars += expand(i).length;
  const seconds = (performance.now() - started) / 1000;
  if (chars < EXPANSIONS) throw new Error('Nothing was expanded.');
  return EXPANSIONS / seconds;
}
