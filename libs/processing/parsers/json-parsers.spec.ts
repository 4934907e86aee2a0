import fc from 'fast-check';
import type { Json } from '#libs/common';
import { InvalidInputError } from '#libs/common';
import { ParseError } from './parser.js';
import { createParserRegistry } from './parser-registry.js';

const json = createParserRegistry().get('json');
const structured = createParserRegistry().get('structured');
const person: Record<string, Json> = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 }, role: { enum: ['a', 'b'] } },
  required: ['name'],
  additionalProperties: false,
};

describe('json', () => {
  it.each<[string, unknown]>([
    ['{"a":1}', { a: 1 }],
    ['42', 42],
    ['```json\n{"a": [1]}\n```', { a: [1] }],
    ['```\n[1]\n```', [1]],
    ['Here you are:\n~~~json\n{"a":1}\n~~~\nDone.', { a: 1 }],
    ['The answer [see below] is {"a": "}]"}. Bye.', { a: '}]' }],
    ['  ```json\n  {"a":1}\n  ```', { a: 1 }],
    ['{"a":{"b":"```"}}', { a: { b: '```' } }],
    ['{"__proto__": {"x": 1}, "b": 2}', { b: 2 }],
  ])('reads %j', (text, value) => {
    const parsed = json.parse(text, {});
    expect(parsed).toEqual(value);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.getPrototypeOf(value));
  });

  it.each([
    ['no JSON', 'I cannot do that.'],
    ['two values', '{"a":1} or {"a":2}'],
    ['two blocks', '```json\n1\n```\n```json\n2\n```'],
    ['a cut block', '```json\n{"a":1}'],
    ['a cut value', 'Here: {"a": {"b": 1}'],
    ['a broken value around a good one', '{"a": {"b": 1}, }'],
    ['a broken value before a good one', '[{"a":1,}] {"b": 1}'],
    ['single quotes', "{'a': 1}"],
    ['a number without end', '[1e999]'],
    ['an escaped NUL', '{"a":"\\u0000"}'],
    ['an escaped half of a surrogate pair', '{"\\ud800":1}'],
    ['depth', `${'['.repeat(500)}${']'.repeat(500)}`],
    ['only opening brackets', '['.repeat(1_000_000)],
    ['a million pairs of brackets', 'x' + '[]'.repeat(500_000)],
  ])('refuses %s', (_, text) => {
    expect(() => json.parse(text, {})).toThrow(ParseError);
  });

  it('finds any object in a fence or amid prose', () => {
    const keys = fc.string().filter((key) => key !== '__proto__' && !/\0|\p{Surrogate}/u.test(key));
    const values = fc.oneof(fc.integer(), fc.boolean(), keys, fc.constant(null));
    fc.assert(
      fc.property(fc.dictionary(keys, values, { noNullPrototype: true }), fc.boolean(), (value, fence) => {
        const text = JSON.stringify(value, null, 1);
        const answer = fence ? `Here:\n\`\`\`json\n${text}\n\`\`\`\nDone` : `Here: ${text} Done`;
        expect(json.parse(answer, {})).toEqual(JSON.parse(text));
      }),
    );
  });

  it('holds to a schema if one is given', () => {
    expect(json.parse('{"name":"x"}', { schema: person })).toEqual({ name: 'x' });
    expect(() => json.parse('{"age":1}', { schema: person })).toThrow(ParseError);
    expect(json.responseSchema?.({})).toBeUndefined();
  });
});

describe('structured', () => {
  it('names what does not match', () => {
    expect(() => structured.parse('{"age":-1,"x":1,"role":"c"}', { schema: person })).toThrow(
      /required property 'name'.*property x.*\/age must be >= 0.*\/role must be one of \["a","b"\]/,
    );
  });

  it('asks for an object as it is, and wraps any other type', () => {
    expect(structured.responseSchema?.({ schema: person })?.schema).toBe(person);
    const list = { type: 'array', items: { type: 'integer' } };
    expect(structured.responseSchema?.({ schema: list })?.schema['properties']).toEqual({ value: list });
    expect(structured.parse('{"value":[1]}', { schema: list })).toEqual([1]);
    expect(structured.parse('[1]', { schema: list })).toEqual([1]);
    expect(() => structured.parse('{"values":[1]}', { schema: list })).toThrow(ParseError);
    const recursive = { type: 'array', items: { $ref: '#' } };
    expect(structured.responseSchema?.({ schema: recursive })).toBeUndefined();
    expect(structured.parse('[[[]]]', { schema: recursive })).toEqual([[[]]]);
  });

  it('keeps a member named value of an object schema', () => {
    expect(structured.parse('{"value":1}', { schema: { type: 'object' } })).toEqual({ value: 1 });
  });

  it.each<[string, Record<string, Json>, string, RegExp]>([
    [
      'a wrong keyword',
      { properties: { a: { type: 'strin' } } },
      'schema.properties.a.type',
      /must be one of/,
    ],
    ['a remote reference', { $ref: 'https://example.com/x.json' }, 'schema', /can't resolve reference/],
    ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, 'schema', /unknown \$schema/],
    ['a broken pattern', { pattern: '(' }, 'schema', /regular expression/i],
    ['a huge pattern', { items: { pattern: '('.repeat(501) } }, 'schema.items', /500 characters/],
    ['an async schema', { properties: { a: { $async: true } } }, 'schema.properties.a.$async', /remove/],
    [
      'depth',
      JSON.parse(`${'{"not":'.repeat(50)}{}${'}'.repeat(50)}`) as Record<string, Json>,
      'schema',
      /levels deep/,
    ],
    ['length', { description: 'x'.repeat(70_000) }, 'schema', /65536/],
  ])('reports %s of a schema', (_, schema, path, message) => {
    expect(structured.check?.({ schema })).toContainEqual({ path, message: expect.stringMatching(message) });
    expect(() => structured.parse('{}', { schema })).toThrow(InvalidInputError);
  });

  it('needs a schema', () => {
    expect(structured.check?.({})).toEqual([
      { path: 'schema', message: expect.stringContaining('give a JSON Schema') },
    ]);
    expect(() => structured.parse('{}', {})).toThrow(InvalidInputError);
  });

  it('ends a validation that a pattern would keep busy for ages', () => {
    const schema = { type: 'string', pattern: '^(a+)+$' };
    expect(() => structured.parse(`"${'a'.repeat(60)}b"`, { schema })).toThrow(/took too long/);
    expect(structured.parse('"aaa"', { schema })).toBe('aaa');
  });

  it('keeps nobody waiting for a schema that is slow each time', () => {
    const schema = { type: 'string', pattern: '^(b+)+$' };
    const before = process.cpuUsage();
    for (let n = 0; n < 12; n++)
      expect(() => structured.parse(`"${'b'.repeat(60)}c"`, { schema })).toThrow(/took too long/);
    const { user, system } = process.cpuUsage(before);
    // Of this process alone; each as long as the first would be three seconds.
    expect((user + system) / 1000).toBeLessThan(1_500);
  });

  it('says so when a schema refers to itself without end', () => {
    expect(() => structured.parse('{}', { schema: { $ref: '#' } })).toThrow(InvalidInputError);
  });
});
