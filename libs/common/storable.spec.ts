import fc from 'fast-check';
import { storableJson, storableText } from './storable.js';

describe('storable', () => {
  it('takes out what Postgres refuses and leaves the rest', () => {
    expect(storableText('a\0b\ud800c 😀')).toBe('ab\ufffdc 😀');
    expect(storableJson({ a: ['\0'], b: 1, c: null })).toBe('{"a":[""],"b":1,"c":null}');
  });

  it('holds for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const stored = storableText(text);
        expect(stored.isWellFormed()).toBe(true);
        expect(stored).not.toContain('\0');
        expect(JSON.parse(storableJson(text))).toBe(stored);
      }),
    );
  });
});
