import fc from 'fast-check';
import { InvalidInputError } from '#libs/common';
import { createParserRegistry } from './parser-registry.js';
import { ParseError } from './parser.js';

const select = createParserRegistry().get('select');
const multiSelect = createParserRegistry().get('multi_select');
const choices = ['Hot', 'hot', 'Cold', 'Food, drinks', 'Acme Inc.', '*'];

describe('select', () => {
  it.each([
    ['Hot', 'Hot'],
    ['cold', 'Cold'],
    ['"COLD".', 'Cold'],
    ['**Acme Inc**', 'Acme Inc.'],
    ['food, drinks', 'Food, drinks'],
    ['{"value":"Cold"}', 'Cold'],
    ['```\nCold\n```', 'Cold'],
  ])('reads %j', (text, value) => {
    expect(select.parse(text, { choices })).toBe(value);
  });

  it.each(['HOT', 'warm', 'Col', 'Cold or Hot', 'It is Cold', '{"value":["Cold"]}', '"', '12'])(
    'refuses %j',
    (text) => {
      expect(() => select.parse(text, { choices })).toThrow(ParseError);
    },
  );

  it('asks for one of the choices', () => {
    expect(select.responseSchema?.({ choices: ['a'] })?.schema['properties']).toEqual({
      value: { type: 'string', enum: ['a'] },
    });
    expect(select.instructions({ choices: ['a "b"'] })).toContain('["a \\"b\\""]');
  });

  it('never gives anything but a choice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('Hot', 'cold', ' ', '"', '.', '*', '{', 'Food', ','), { maxLength: 4 }),
        (parts) => {
          try {
            expect(choices).toContain(select.parse(parts.join(''), { choices }));
          } catch (error) {
            expect(error).toBeInstanceOf(ParseError);
          }
        },
      ),
    );
  });
});

describe('multi_select', () => {
  it.each<[string, string[]]>([
    ['["Cold","Hot","Cold"]', ['Hot', 'Cold']],
    ['cold, Acme Inc.', ['Cold', 'Acme Inc.']],
    ['- Cold\n- Hot', ['Hot', 'Cold']],
    ['Food, drinks', ['Food, drinks']],
    ['{"value":["Food, drinks"]}', ['Food, drinks']],
    ['```json\n["Cold"]\n```', ['Cold']],
    ['[]', []],
  ])('reads %j', (text, value) => {
    expect(multiSelect.parse(text, { choices })).toEqual(value);
  });

  it.each(['Cold, warm', '["Cold", 1]', '{"value":"warm"}', ',', 'HOT', '{"a":[]}', 'x,'.repeat(400_000)])(
    'refuses %.40j',
    (text) => {
      expect(() => multiSelect.parse(text, { choices })).toThrow(ParseError);
    },
  );
});

it.each([
  [undefined, 'choices', /at least one/],
  [[], 'choices', /at least one/],
  [['a', 'a'], 'choices[1]', /twice/],
  [['a', ''], 'choices[1]', /not empty/],
  [[' a'], 'choices[0]', /space/],
  [['a'.repeat(201)], 'choices[0]', /200/],
  [Array.from({ length: 501 }, (_, index) => `${index}`), 'choices', /500/],
])('reports what is wrong with the choices (%#)', (wrong, path, message) => {
  for (const parser of [select, multiSelect]) {
    expect(parser.check?.({ choices: wrong })).toEqual([{ path, message: expect.stringMatching(message) }]);
    expect(() => parser.parse('a', { choices: wrong })).toThrow(InvalidInputError);
  }
});
