import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { readPrompt } from './facts.js';
import type { JsonSchema } from './json-schema.js';
import { satisfySchema } from './satisfy-schema.js';

const FORMATS: Record<string, RegExp> = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/,
  time: /^\d{2}:\d{2}:\d{2}Z$/,
  duration: /^P\d+D$/,
  email: /^[^@\s]+@[^@\s]+\.[^@\s]+$/,
  hostname: /^[a-z0-9.-]+$/,
  uri: /^https?:\/\/\S+$/,
  ipv4: /^\d+\.\d+\.\d+\.\d+$/,
  ipv6: /^[0-9a-f:]+$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};
const reading = readPrompt(
  'Summarise:\nName: 3M\nSector: Industrials\nFounded: 1902\nEmployees: 61,500\nE-Mail: info@3m.com',
);

function check(schema: JsonSchema): unknown {
  const value = satisfySchema(schema, reading);
  const ajv = new Ajv2020({ strict: false, formats: FORMATS });
  const valid = ajv.validate(schema, value);
  expect({ errors: ajv.errors, value: valid ? true : value }).toEqual({ errors: null, value: true });
  return value;
}

describe('satisfySchema', () => {
  it('takes facts where their names fit', () => {
    const value = check({
      type: 'object',
      properties: {
        name: { type: 'string' },
        sector: { enum: ['Energy', 'Industrials'] },
        founded: { type: 'integer', minimum: 1800, maximum: 2100 },
        employees: { type: 'number' },
        summary: { type: 'string', minLength: 5, maxLength: 60 },
        confidence: { type: 'number' },
      },
      required: ['name', 'sector', 'founded', 'employees', 'summary', 'confidence'],
      additionalProperties: false,
    });
    expect(value).toMatchObject({ name: '3M', sector: 'Industrials', founded: 1902, employees: 61500 });
    expect((value as { confidence: number }).confidence).toBeLessThanOrEqual(1);
  });

  it.each<[string, JsonSchema]>([
    ['const', { const: { a: [1] } }],
    ['numbers in an enum', { enum: [1, 2, 3] }],
    ['nullable', { type: ['null', 'integer'] }],
    ['null', { type: 'null' }],
    [
      'anyOf',
      {
        anyOf: [
          { type: 'null' },
          { type: 'object', properties: { x: { type: 'boolean' } }, required: ['x'] },
        ],
      },
    ],
    ['oneOf', { oneOf: [{ type: 'string', const: 'a' }, { type: 'integer' }] }],
    [
      'oneOf in anyOf',
      { anyOf: [{ oneOf: [{ type: 'null' }, { type: 'array', minItems: 1, items: { type: 'string' } }] }] },
    ],
    [
      'allOf',
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          { properties: { b: { type: 'integer' } }, required: ['b'] },
        ],
      },
    ],
    [
      '$ref',
      {
        $ref: '#/$defs/a~1b',
        $defs: { 'a/b': { type: 'object', properties: { x: { $ref: '#/definitions/y' } }, required: ['x'] } },
        definitions: { y: { type: 'integer', minimum: 7 } },
      },
    ],
    [
      'minItems of unique items',
      { type: 'array', minItems: 5, uniqueItems: true, items: { type: 'string' } },
    ],
    [
      'unique items of an enum',
      { type: 'array', minItems: 3, maxItems: 3, uniqueItems: true, items: { enum: ['a', 'b', 'c'] } },
    ],
    ['maxItems', { type: 'array', maxItems: 1, items: { type: 'integer' } }],
    [
      'tuple',
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'boolean' }], items: false, minItems: 2 },
    ],
    ['minProperties', { type: 'object', minProperties: 2, additionalProperties: { type: 'integer' } }],
    ['exclusive bounds', { type: 'integer', exclusiveMinimum: 4, exclusiveMaximum: 6 }],
    ['exclusive bounds of a real', { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 0.001 }],
    ['multipleOf', { type: 'number', multipleOf: 0.5, minimum: 3, maximum: 4 }],
    ['a negative maximum', { type: 'number', maximum: -20 }],
    ['a long string', { type: 'string', minLength: 5000 }],
    ['a short string', { type: 'string', maxLength: 3 }],
    ['an exact length', { type: 'string', minLength: 7, maxLength: 7 }],
    ['no type', { properties: { a: {} }, required: ['a'] }],
    ...Object.keys(FORMATS).map((format): [string, JsonSchema] => [format, { type: 'string', format }]),
  ])('%s', (_name, schema) => {
    check(schema);
  });

  it.each<[string, JsonSchema]>([
    [
      'a tree',
      {
        $ref: '#/$defs/node',
        $defs: {
          node: {
            type: 'object',
            properties: {
              v: { type: 'integer' },
              children: { type: 'array', items: { $ref: '#/$defs/node' } },
            },
            required: ['v', 'children'],
          },
        },
      },
    ],
    [
      'a nullable list',
      {
        type: 'object',
        properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
        required: ['next'],
      },
    ],
    [
      'many optional members',
      {
        type: 'object',
        properties: Object.fromEntries('abcdefghij'.split('').map((name) => [name, { $ref: '#' }])),
      },
    ],
  ])('ends in %s that contains itself', (_name, schema) => {
    check(schema);
  });

  it('ends where no value can exist', () => {
    const endless = {
      type: 'object',
      properties: { a: { $ref: '#' }, b: { $ref: '#' } },
      required: ['a', 'b'],
    };
    expect(satisfySchema(endless, reading)).toBeInstanceOf(Object);
    expect(satisfySchema({ $ref: '#' }, reading)).toEqual(expect.any(String));
    expect(satisfySchema({ allOf: [{ $ref: '#' }] }, reading)).toEqual(expect.any(String));
  });

  it('satisfies bounds whatever they are', () => {
    const bounds = fc
      .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(500))
      .map(([low, span]) => [low, low + span]);
    fc.assert(
      fc.property(bounds, fc.constantFrom('integer', 'number'), ([minimum, maximum], type) => {
        check({ type, minimum, maximum });
        check({ type: 'array', minItems: Math.abs(minimum ?? 0) % 7, maxItems: 7, items: { type, minimum } });
      }),
      { seed: 4, numRuns: 100 },
    );
  });
});
