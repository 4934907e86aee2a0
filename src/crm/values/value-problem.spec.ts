import fc from 'fast-check';
import { newId, type Json } from '#libs/common';
import { FIELD_TYPES, type FieldType, type HostField } from '#libs/host';
import { parseCell } from './parse-cell.js';
import { valueProblem } from './value-problem.js';

const options = { choices: ['red', 'green', 'dark, blue'] };
const field = (fieldType: FieldType): HostField => ({ slug: 'f', name: 'F', fieldType, options });
const problem = (type: FieldType, value: Json) => valueProblem(field(type), value);
const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);

const good: [FieldType, Json][] = [
  ['text', ''],
  ['text', 'x'.repeat(10_000)],
  ['text', 'emoji 👩‍🚀 {ssn} \n'],
  ['textarea', 'x'.repeat(1_000_000)],
  ['number', -1e308],
  ['currency', 12.345],
  ['boolean', false],
  ['date', '2024-02-29'],
  ['date', '0001-01-01'],
  ['select', 'red'],
  ['multi_select', []],
  ['multi_select', ['red', 'dark, blue']],
  ['email', 'a@b.de'],
  ['phone', '+49 (30) 123-45 67'],
  ['phone', '030/1234 ext. 5'],
  ['url', 'https://example.com/a?b=c#d'],
  ['relation', newId()],
  ['relation', [newId(), newId()]],
  ['json', { a: [1, 'x', null], toString: 1 }],
  ['json', nested(20)],
  ['ai_generated', 'x'.repeat(1_000_000)],
  ['ai_generated', { score: 1 }],
];
const bad: [FieldType, Json][] = [
  ['text', 'x'.repeat(10_001)],
  ['text', 1],
  ['text', 'a\0b'],
  ['text', 'half \ud800 pair'],
  ['textarea', 'x'.repeat(1_000_001)],
  ['number', '1'],
  ['number', Infinity],
  ['number', NaN],
  ['boolean', 'true'],
  ['date', '2026-02-29'],
  ['date', '2026-1-1'],
  ['date', '0000-01-01'],
  ['date', '2026-01-01T00:00:00Z'],
  ['date', '2026-13-01'],
  ['select', 'Red'],
  ['select', ['red']],
  ['multi_select', 'red'],
  ['multi_select', ['red', 'red']],
  ['multi_select', ['red', 1]],
  ['email', 'a@b'],
  ['phone', '12'],
  ['phone', 'call me at 12345'],
  ['url', 'example.com'],
  ['url', 'javascript:alert(1)'],
  ['url', 'https://a b'],
  ['relation', 'x'],
  ['relation', { id: newId() }],
  ['relation', ['x']],
  ['json', nested(21)],
  ['json', 'x'.repeat(65_536)],
  ['json', JSON.parse('{"a":{"__proto__":1}}') as Json],
  ['json', { 'a\0': 1 }],
  ['ai_generated', nested(21)],
  ['ai_generated', 'a\0b'],
];

describe('valueProblem', () => {
  it.each(good)('accepts a %s', (type, value) => expect(problem(type, value)).toBeUndefined());
  it.each(bad)('refuses a %s that does not fit', (type, value) =>
    expect(problem(type, value)).toMatch(/\.$/),
  );
  it.each(FIELD_TYPES)('lets a %s be cleared', (type) => expect(problem(type, null)).toBeUndefined());

  it('never fails and never repeats a long value, whatever comes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FIELD_TYPES), fc.jsonValue({ maxDepth: 3 }), (type, value) => {
        const told = problem(type, value as Json);
        expect(told === undefined || told.length < 200).toBe(true);
      }),
    );
  });

  it('takes any nesting without exhausting the stack', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as Json;
    expect(problem('json', deep)).toMatch(/at most 20 levels/);
  });
});

describe('parseCell', () => {
  it.each<[FieldType, string, Json]>([
    ['number', '1,234.5', 1234.5],
    ['number', ' -12 ', -12],
    ['number', '1e3', 1000],
    ['number', '.5', 0.5],
    ['currency', '1,000,000', 1_000_000],
    ['boolean', 'YES', true],
    ['boolean', '0', false],
    ['multi_select', 'red; green', ['red', 'green']],
    ['multi_select', 'red,green,red', ['red', 'green']],
    ['multi_select', 'dark, blue', ['dark, blue']],
    ['multi_select', 'dark, blue;red', ['dark, blue', 'red']],
    ['relation', 'a', 'a'],
    ['relation', 'a;b', ['a', 'b']],
    ['json', '{"a":1}', { a: 1 }],
    ['date', ' 2026-01-01 ', '2026-01-01'],
    ['text', ' kept ', ' kept '],
    ['text', '   ', null],
    ['number', '', null],
  ])('reads a %s from %p', (type, text, value) => expect(parseCell(field(type), text)).toEqual({ value }));

  it.each<[FieldType, string]>([
    ['number', '1.234,5'],
    ['number', '12,34'],
    ['number', '1 234'],
    ['number', '0x10'],
    ['number', '1e999'],
    ['number', 'NaN'],
    ['boolean', 'maybe'],
    ['json', '{'],
  ])('reads no %s from %p', (type, text) => expect(parseCell(field(type), text)).toHaveProperty('problem'));

  it('reads back every number as it is written, grouped or not', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e15, max: 1e15 }), (number) => {
        expect(parseCell(field('number'), String(number))).toEqual({ value: number });
        expect(parseCell(field('number'), number.toLocaleString('en'))).toEqual({ value: number });
      }),
    );
  });
});
