import fc from 'fast-check';
import { createParserRegistry } from './parser-registry.js';
import { ParseError } from './parser.js';

const registry = createParserRegistry();
const parse = (type: string, text: string): unknown => registry.get(type).parse(text, {});
const UNSAFE =
  /<\s*\/?(script|style|img|svg|iframe|object|embed|link|meta|form|input|base)\b|<[^>]*\son\w+\s*=|<[^>]*javascript:/i;
const SCRAPS = [
  '<',
  '>',
  '<script>',
  '</script>',
  '<style>',
  '<img src=x onerror=alert(1)>',
  '<a href="javascript:x">',
  '<!--',
  '-->',
  '"',
  '&lt;',
  '&amp;',
  '`',
  '```\n',
  '<b onclick="x">',
  '<svg/onload=x>',
  'text',
  '\n',
  ' ',
  '<p>',
  '</p>',
  '<textarea>',
  '<scr<script>ipt>',
];

describe('text', () => {
  it('is kept but for the white space around it', () => {
    expect(parse('text', ' <b>a</b> & ```x``` \n')).toBe('<b>a</b> & ```x```');
  });
});

describe('markdown', () => {
  it.each([
    '# Title\n\n> quote & more\n\n- a < b\n\n```js\nif (a < b && c > d) x();\n```',
    'See <https://example.com/?a=1&b=2>.',
  ])('is kept as it is without raw HTML: %j', (text) => {
    expect(parse('markdown', text)).toBe(text);
  });

  it('keeps safe tags, escapes the others, loses no text', () => {
    expect(
      parse('markdown', '> a & b <b>c</b> `Promise<void>` <https://x.y/> <script>alert(1)</script>'),
    ).toBe('> a & b <b>c</b> `Promise&lt;void&gt;` https://x.y/ &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(parse('markdown', 'x <b onclick="y">z</b>')).toBe('x <b>z</b>');
  });

  it('never lets unsafe HTML through, entities included', () => {
    expect(parse('markdown', '<b>x</b> &lt;script&gt; &amp;lt;img&gt;')).not.toMatch(UNSAFE);
    expectSafe('markdown');
  });
});

describe('html', () => {
  it.each([
    ['<p onclick="x">a <b>b</b></p>', '<p>a <b>b</b></p>'],
    ['```html\n<ul><li>x</li></ul>\n```', '<ul><li>x</li></ul>'],
    [
      '<!doctype html><html><head><title>t</title><style>p{}</style></head><body><p>x</p></body></html>',
      '<p>x</p>',
    ],
    ['<a href="javascript:alert(1)">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'],
    [
      '<a href="https://x.y/?a=1" target="_blank">x</a>',
      '<a href="https://x.y/?a=1" rel="noopener noreferrer nofollow">x</a>',
    ],
    ['a <script>x()</script>& b', 'a &amp; b'],
    ['<img src="https://tracker/x.gif"><p>x</p>', '<p>x</p>'],
  ])('makes %j safe', (html, safe) => {
    expect(parse('html', html)).toBe(safe);
  });

  it('refuses an answer of which nothing is left', () => {
    expect(() => parse('html', '<script>x()</script>')).toThrow(ParseError);
  });

  it('never lets unsafe HTML through', () => {
    expectSafe('html');
  });
});

function expectSafe(type: string): void {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...SCRAPS), { minLength: 1, maxLength: 12 }), (scraps) => {
      expect(attempt(type, scraps.join(''))).not.toMatch(UNSAFE);
    }),
    { numRuns: 500 },
  );
}

function attempt(type: string, text: string): string {
  try {
    return String(parse(type, text));
  } catch (error) {
    expect(error).toBeInstanceOf(ParseError);
    return '';
  }
}
