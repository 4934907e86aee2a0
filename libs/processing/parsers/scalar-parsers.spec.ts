import fc from 'fast-check';
import { createParserRegistry } from './parser-registry.js';
import { ParseError } from './parser.js';

const registry = createParserRegistry();
const parse = (type: string, text: string): unknown => registry.get(type).parse(text, {});

describe('number', () => {
  it.each<[string, number]>([
    ['42', 42],
    ['1,234.5', 1234.5],
    ['$1,200', 1200],
    ['-$1,200', -1200],
    ['$-5', -5],
    ['\u22123.5', -3.5],
    ['12%', 12],
    ['1e3', 1000],
    ['-0', 0],
    ['The score is 7.', 7],
    ['Revenue of Q3: 12 EUR', 12],
    ['**8**', 8],
    ['```\n9\n```', 9],
    ['{"value": 3.5}', 3.5],
    ['{"value": "1,000"}', 1000],
  ])('reads %j', (text, value) => {
    expect(parse('number', text)).toBe(value);
  });

  it.each([
    'none',
    '5 to 7',
    '1/2',
    '1.2 million',
    '5k',
    '(5)',
    'minus 5',
    '- 5',
    '12,5',
    '1,2345',
    '1 234',
    '1.2.3',
    '2026-11-20',
    '1e999',
    '--5',
    '-$-5',
    '{"value": null}',
    '{"v": 1}',
    '[1, 2]',
    'true',
    `1${'0'.repeat(2000)}`,
  ])('refuses %j', (text) => {
    expect(() => parse('number', text)).toThrow(ParseError);
  });

  it('reads back any number, bare and wrapped', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        const expected = value === 0 ? 0 : value;
        expect(parse('number', String(value))).toBe(expected);
        expect(parse('number', JSON.stringify({ value: expected }))).toBe(expected);
      }),
    );
  });
});

describe('boolean', () => {
  it.each<[string, boolean]>([
    ['true', true],
    ['Yes.', true],
    ['**No**', false],
    ['"FALSE"', false],
    ['{"value":false}', false],
  ])('reads %j', (text, value) => {
    expect(parse('boolean', text)).toBe(value);
  });

  it.each(['maybe', 'yes and no', 'Yes, because', '1', '{"value":1}', '{}', '[true]'])(
    'refuses %j',
    (text) => {
      expect(() => parse('boolean', text)).toThrow(ParseError);
    },
  );
});

describe('date', () => {
  it.each([
    ['2026-11-20', '2026-11-20'],
    ['`2024-02-29`.', '2024-02-29'],
    ['2026-11-20T23:30:00-05:00', '2026-11-20'],
    ['2026-11-20 10:00', '2026-11-20'],
    ['Fri, 20 Nov 2026 10:00:00 GMT', '2026-11-20'],
    ['1 March 2026', '2026-03-01'],
    ['0099-01-01', '0099-01-01'],
    ['{"value":"2026-11-20"}', '2026-11-20'],
  ])('reads %j', (text, value) => {
    expect(parse('date', text)).toBe(value);
  });

  it.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '0000-01-01',
    '11/12/2026',
    '2026-11',
    '20261120',
    'Mon, 20 Nov 2026',
    '20 Novem 2026',
    '2026-11-20T25:00:00Z',
    'tomorrow',
    '20 Nov 26',
  ])('refuses %j', (text) => {
    expect(() => parse('date', text)).toThrow(ParseError);
  });

  it('normalises every day there is', () => {
    const days = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(days, (day) => {
        const iso = day.toISOString().slice(0, 10);
        expect(parse('date', day.toISOString())).toBe(iso);
        expect(parse('date', day.toUTCString())).toBe(iso);
      }),
    );
  });
});
