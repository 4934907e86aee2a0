import { InvalidInputError } from '#libs/common';
import { ParseError, type Parser } from './parser.js';
import { createParserRegistry } from './parser-registry.js';

const upper: Parser = { outputType: 'upper', instructions: () => '', parse: (text) => text.toUpperCase() };

describe('ParserRegistry', () => {
  const registry = createParserRegistry();
  const options = { choices: ['a', 'b'], schema: { type: 'object' } };

  it('holds every output type of the product', () => {
    expect(registry.names().sort()).toEqual(
      'boolean date html json markdown multi_select number select structured text xml yaml'.split(' '),
    );
  });

  it('takes a parser of the host, once', () => {
    const own = createParserRegistry().register(upper);
    expect(own.get('upper').parse('x', {})).toBe('X');
    expect(own.has('upper')).toBe(true);
    expect(registry.has('upper')).toBe(false);
    expect(() => own.register(upper)).toThrow(/has a parser already/);
  });

  it('names the known output types when asked for another', () => {
    expect(() => registry.get('csv')).toThrow(InvalidInputError);
    expect(() => registry.get('constructor')).toThrow(
      /output_type: unknown output type "constructor".*multi_select/,
    );
  });

  describe.each(createParserRegistry().names())('%s', (name) => {
    const parser = registry.get(name);

    it.each([
      ['an empty answer', ''],
      ['white space', ' \n\t '],
      ['too long an answer', `"${'é'.repeat(524_288)}"`],
      ['a NUL', 'a\0b'],
      ['half a surrogate pair', '"\ud800"'],
    ])('refuses %s with a short message', (_, text) => {
      expect(() => parser.parse(text, options)).toThrow(ParseError);
      expect(messageOf(() => parser.parse(text, options)).length).toBeLessThan(200);
    });

    it('accepts a complete configuration and says what form it wants', () => {
      expect(parser.check?.(options) ?? []).toEqual([]);
      expect(parser.instructions(options)).toEqual(expect.any(String));
      expect(parser.instructions(options) === '').toBe(name === 'text');
    });
  });

  it('repeats little of a long answer', () => {
    const answer = 'x'.repeat(10_000);
    for (const name of [
      'json',
      'yaml',
      'xml',
      'number',
      'boolean',
      'date',
      'select',
      'multi_select',
      'structured',
    ]) {
      const message = messageOf(() => registry.get(name).parse(answer, options));
      expect((message.match(/x/g) ?? []).length).toBeLessThan(200);
    }
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}
