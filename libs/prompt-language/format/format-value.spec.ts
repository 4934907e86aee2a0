import fc from 'fast-check';
import type { Json } from '#libs/common';
import type { FieldOptions, FieldType } from '#libs/host';
import { formatDate } from './dates.js';
import { formatItem, formatValue } from './format-value.js';
import { formatCurrency, plainNumber } from './numbers.js';

const cases: [FieldType, Json, string, FieldOptions?][] = [
  ['text', 'Ada', 'Ada'],
  ['textarea', 'two\nlines', 'two\nlines'],
  ['text', 7, '7'],
  ['number', 1234.5, '1234.5'],
  ['number', 1e-7, '0.0000001'],
  ['number', -1.5e21, '-1500000000000000000000'],
  ['number', '12.30', '12.30'],
  ['currency', 1234.5, 'EUR 1,234.50', { currency: 'EUR' }],
  ['currency', -1234567, 'USD -1,234,567.00', { currency: 'USD' }],
  ['currency', 0.0042, 'EUR 0.0042', { currency: 'EUR' }],
  ['currency', 1234, 'JPY 1,234', { currency: 'JPY' }],
  ['currency', '999.9', 'KWD 999.900', { currency: 'KWD' }],
  ['currency', 1000, '1,000.00'],
  ['currency', 'unknown', 'unknown', { currency: 'EUR' }],
  ['boolean', true, 'true'],
  ['boolean', false, 'false'],
  ['date', '2026-11-20', '2026-11-20'],
  ['date', '2026-11-20T23:30:00Z', '2026-11-20'],
  ['date', 'next week', 'next week'],
  ['select', 'won', 'won'],
  ['multi_select', ['a', 'b'], 'a, b'],
  ['multi_select', [], ''],
  ['email', 'ada@example.com', 'ada@example.com'],
  ['phone', '+49 30 1', '+49 30 1'],
  ['url', 'https://example.com/?a=1&b=2', 'https://example.com/?a=1&b=2'],
  ['relation', { id: '1', label: 'Acme' }, 'Acme'],
  ['relation', { id: '1', label: '' }, '1'],
  [
    'relation',
    [
      { id: '1', label: 'Acme' },
      { id: '2', label: 'Globex' },
    ],
    'Acme, Globex',
  ],
  ['relation', [], ''],
  ['json', { id: 1, label: 'x' }, '{"id":1,"label":"x"}'],
  ['json', [{ a: [1] }], '[{"a":[1]}]'],
  ['ai_generated', ['x', 2, true, null], 'x, 2, true'],
  ['ai_generated', { b: 1, a: 2 }, '{"b":1,"a":2}'],
];

describe('formatValue', () => {
  it.each(cases)('writes a %s %j as %j', (...[fieldType, value, expected, options]) => {
    expect(formatValue({ fieldType, options }, value)).toBe(expected);
  });

  it('writes nothing for no value, whatever the type', () => {
    for (const [fieldType] of cases) {
      expect(formatValue({ fieldType }, null)).toBe('');
      expect(formatValue({ fieldType }, undefined)).toBe('');
    }
  });
});

it('writes every number so that it reads back equal and has no exponent', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = plainNumber(value);
      expect(text).toMatch(/^-?\d+(\.\d+)?$/);
      expect(Number(text)).toBe(value === 0 ? 0 : value);
    }),
  );
});

it('loses no digit of an amount', () => {
  fc.assert(
    fc.property(fc.integer(), fc.stringMatching(/^\d{1,6}$/), (whole, fraction) => {
      const text = formatCurrency(`${whole}.${fraction}`, 'EUR');
      expect(text).toMatch(/^EUR -?\d{1,3}(,\d{3})*\.\d{2,}$/);
      expect(Number(text.slice(4).replaceAll(',', ''))).toBe(Number(`${whole}.${fraction}`));
    }),
  );
});

it('writes items of a list by their label only where they are relations', () => {
  expect(formatItem({ id: 1, label: 'Acme' })).toBe('Acme');
  expect(formatItem({ id: 1, label: 'Acme', price: 3 })).toBe('{"id":1,"label":"Acme","price":3}');
});

it('writes dates in a pattern without moving them', () => {
  expect(formatDate('2026-03-05', 'D MMMM YYYY')).toBe('5 March 2026');
  expect(formatDate('2026-03-05T07:08:09+02:00', 'DD.MM.YYYY HH:mm:ss')).toBe('05.03.2026 07:08:09');
  expect(formatDate('2026-13-05', 'MMM')).toBe('13');
  expect(formatDate('soon', 'YYYY')).toBe('soon');
});
