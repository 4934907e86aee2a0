import fc from 'fast-check';
import { deriveSlug, isSlug } from './slugs.js';

describe('deriveSlug', () => {
  it.each([
    ['Name', 'name'],
    ['First  name!', 'first_name'],
    ['Größe (cm)', 'grosse_cm'],
    ['Café', 'cafe'],
    ['2nd phone', 'f_2nd_phone'],
    ['名前', 'field'],
    ['   ', 'field'],
    ['Constructor', 'f_constructor'],
    ['_x_', 'x'],
    ['x'.repeat(100), 'x'.repeat(63)],
  ])('makes of %p %p', (name, slug) => expect(deriveSlug(name, new Set())).toBe(slug));

  it('avoids what is taken', () => {
    expect(deriveSlug('Name', new Set(['name', 'name_2']))).toBe('name_3');
    const long = 'x'.repeat(63);
    expect(deriveSlug(long, new Set([long]))).toBe(`${'x'.repeat(61)}_2`);
  });

  it('always makes a slug that is not taken', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 80 }), { maxLength: 20 }), (names) => {
        const taken = new Set<string>();
        for (const name of names) {
          const slug = deriveSlug(name, taken);
          expect(isSlug(slug) && !taken.has(slug)).toBe(true);
          taken.add(slug);
        }
      }),
    );
  });
});

describe('isSlug', () => {
  it.each(['a', 'a1_', 'record_id', 'x'.repeat(63)])('accepts %p', (slug) => expect(isSlug(slug)).toBe(true));
  it.each(['', '1a', '_a', 'A', 'a-b', 'a\n', 'constructor', 'x'.repeat(64), 7])('refuses %p', (slug) => {
    expect(isSlug(slug)).toBe(false);
  });
});
