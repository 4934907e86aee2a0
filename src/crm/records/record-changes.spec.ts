import fc from 'fast-check';
import { canonicalJson, type Json } from '#libs/common';
import { applied, changedValues, dataChanges, isEmptyChange } from './record-changes.js';

const values = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

describe('dataChanges', () => {
  it('sees what is new, other, cleared and the same', () => {
    const current = { same: { a: 1, b: [2] }, other: 1, cleared: 'x' };
    const changes = dataChanges(current, {
      same: { b: [2], a: 1 },
      other: 2,
      cleared: null,
      added: false,
      never: null,
    });
    expect(changes).toEqual({ set: { other: 2, added: false }, cleared: ['cleared'] });
    expect(changedValues(changes)).toEqual({ other: 2, added: false, cleared: null });
  });

  it('finds nothing to do twice, and leaves other values alone', () => {
    fc.assert(
      fc.property(values, values, (current, given) => {
        const changes = dataChanges(current, given);
        const after = applied(current, changes);
        expect(isEmptyChange(dataChanges(after, given))).toBe(true);
        for (const [slug, value] of Object.entries(current)) {
          if (!(slug in given)) expect(canonicalJson(after[slug])).toBe(canonicalJson(value));
        }
      }),
    );
  });
});
