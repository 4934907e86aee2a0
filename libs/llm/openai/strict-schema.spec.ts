import type { Json } from '#libs/common';
import { fitsStrictMode } from './strict-schema.js';

const closed = (properties: Record<string, Json>, more: Record<string, Json> = {}): Record<string, Json> => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});
const text = { type: 'string' };

describe('fitsStrictMode', () => {
  it.each([
    ['a flat object', closed({ a: text, b: { type: ['number', 'null'], minimum: 0 } })],
    ['nested objects and lists', closed({ list: { type: 'array', items: closed({ a: text }) } })],
    ['a choice', closed({ a: { anyOf: [text, closed({ b: text })] } })],
    [
      'references',
      closed({ a: { $ref: '#/$defs/x' }, b: { $ref: '#' } }, { $defs: { x: closed({ c: text }) } }),
    ],
    ['an enumeration', closed({ a: { type: 'string', enum: ['x', 'y'], description: 'which' } })],
    ['properties named like keywords', closed({ allOf: text, required: text })],
  ])('takes %s', (_what, schema) => {
    expect(fitsStrictMode(schema)).toBe(true);
  });

  it.each([
    ['a list at the root', { type: 'array', items: text }],
    ['a choice at the root', closed({ a: text }, { anyOf: [closed({ a: text })] })],
    ['an open object', closed({ a: text }, { additionalProperties: true })],
    ['an object that does not say', { type: 'object', properties: { a: text }, required: ['a'] }],
    ['an optional property', closed({ a: text, b: text }, { required: ['a'] })],
    ['a required property that is not there', closed({ a: text }, { required: ['a', 'b'] })],
    ['an open object inside', closed({ a: { type: 'object', properties: {} } })],
    ['an open object in a definition', closed({ a: text }, { $defs: { x: { type: 'object' } } })],
    ['an open object that may be null', closed({ a: { type: ['object', 'null'], properties: {} } })],
    ['a keyword that is not supported', closed({ a: { allOf: [text] } })],
    ['a default', closed({ a: { type: 'string', default: 'x' } })],
    ['a schema without a type', closed({ a: {} })],
    ['a schema that is true', closed({ a: true })],
    ['a list of anything', closed({ a: { type: 'array' } })],
    ['an unknown format', closed({ a: { type: 'string', format: 'iban' } })],
    ['a pattern with look-ahead', closed({ a: { type: 'string', pattern: '^(?=x)' } })],
    ['a reference elsewhere', closed({ a: { $ref: 'https://example.com/x' } })],
    ['a reference with company', closed({ a: { $ref: '#/$defs/x', title: 'x' } }, { $defs: { x: text } })],
    ['too many values', closed({ a: { type: 'string', enum: Array.from({ length: 1001 }, String) } })],
    [
      'too many properties',
      closed(Object.fromEntries(Array.from({ length: 5001 }, (_, n) => [`p${n}`, text]))),
    ],
  ])('leaves %s', (_what, schema) => {
    expect(fitsStrictMode(schema as Record<string, Json>)).toBe(false);
  });

  it('leaves what is nested too deeply', () => {
    const nested = (depth: number): Record<string, Json> =>
      closed({ a: depth > 1 ? nested(depth - 1) : text });
    expect(fitsStrictMode(nested(9))).toBe(true);
    expect(fitsStrictMode(nested(10))).toBe(false);
  });
});
