import fc from 'fast-check';
import { createParserRegistry } from './parser-registry.js';
import { ParseError } from './parser.js';

const registry = createParserRegistry();
const parse = (type: string, text: string): unknown => registry.get(type).parse(text, {});

describe('yaml', () => {
  it.each<[string, unknown]>([
    ['a: 1\nb: [x, true, null]\nc: 2026-01-01', { a: 1, b: ['x', true, null], c: '2026-01-01' }],
    ['Here:\n```yaml\n- a: |\n    ```\n    code\n    ```\n```', [{ a: '```\ncode\n```\n' }]],
    ['---\na: yes', { a: 'yes' }],
    ['__proto__: {x: 1}\nb: 2', { b: 2 }],
  ])('reads %j', (text, value) => {
    expect(parse('yaml', text)).toEqual(value);
  });

  it.each([
    ['prose', 'I am sorry.'],
    ['an alias', 'a: &x [1]\nb: *x'],
    ['a cycle', '&a [*a]'],
    ['an unknown tag', 'a: !!js/function "x"'],
    ['a known tag', 'a: !!binary aGVsbG8='],
    ['a repeated key', 'a: 1\na: 2'],
    ['a key that is no plain value', '? [a]\n: 1'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['infinity', 'a: .inf'],
    ['broken indentation', 'a:\n  - b\n - c'],
    ['a NUL', 'a: "\\0"'],
    ['deep brackets', '['.repeat(100_000)],
    ['brackets that quoted ones pretend to close', '["]", '.repeat(100_000)],
    ['deep sequences on a line', '- '.repeat(100_000)],
    ['deep keys on a line', '? '.repeat(100_000)],
    ['deep mappings on a line', '- "a": '.repeat(10_000)],
    ['length', 'a: 1\n'.repeat(40_000)],
    ['deep indentation', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    [
      'nesting just below the bounds',
      Array.from({ length: 128 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
    ],
  ])('refuses %s', (_, text) => {
    expect(() => parse('yaml', text)).toThrow(ParseError);
  });
});

describe('xml', () => {
  it.each([
    ['<a b="1">x &amp; <c/><![CDATA[<&]]></a>'],
    ['<?xml version="1.0"?>\n<!-- <note> & -->\n<a>&#x41;</a>'],
    ['<a>```</a>'],
  ])('keeps %j', (xml) => {
    expect(parse('xml', xml)).toBe(xml);
  });

  it('leaves out fences and prose', () => {
    expect(parse('xml', 'Here:\n```xml\n<a/>\n```')).toBe('<a/>');
    expect(parse('xml', 'Here it is: <a>x</a> Bye.')).toBe('<a>x</a>');
  });

  it.each([
    ['prose', 'Sorry.'],
    ['an open element', '<a><b></a>'],
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['an entity', '<a>&foo;</a>'],
    ['an entity in an attribute', '<a b="&foo;"/>'],
    ['a NUL reference', '<a>&#0;</a>'],
    ['two roots', '<a/><b/>'],
    ['text between comments', '<a/>x<!-- -->'],
    ['a section outside', '<a/><![CDATA[x]]>'],
    ['a stylesheet', '<?xml-stylesheet href="x"?><a/>'],
    ['a late declaration', '<a/><?xml version="1.0"?>'],
    ['a "<" in an attribute', '<a b="<"/>'],
    ['a repeated attribute', '<a b="1" b="2"/>'],
    ['an open comment', '<a/><!-- >'],
    ['depth', `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`],
    ['a flood of open comments', `<a>${'<!--'.repeat(250_000)}</a>`],
  ])('refuses %s', (_, text) => {
    expect(() => parse('xml', text)).toThrow(ParseError);
  });
});

it('gives a value or a ParseError for any text', () => {
  const scraps = fc.constantFrom(
    '- ',
    'a: ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '\n',
    ' ',
    '|',
    '&a ',
    '*a',
    '!t ',
    '#',
    '<a>',
    '</a>',
    '<!--',
    '-->',
    '&',
    '<![CDATA[',
    ']]>',
    '?',
    '%',
    '---\n',
    '1',
    ',',
    '```\n',
  );
  fc.assert(
    fc.property(
      fc.array(scraps, { maxLength: 30 }),
      fc.constantFrom('yaml', 'xml', 'json'),
      (parts, type) => {
        try {
          expect(parse(type, parts.join(''))).toBeDefined();
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
