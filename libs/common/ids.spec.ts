import fc from 'fast-check';
import { v7 } from 'uuid';
import { firstIdOf, isId, newId } from './ids.js';

describe('firstIdOf', () => {
  it('parts the ids made before a time from those made at it or later', () => {
    const time = fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(time, time, (made, asked) => {
        const id = v7({ msecs: made.getTime() });
        expect(id < firstIdOf(asked)).toBe(made.getTime() < asked.getTime());
      }),
    );
  });

  it('is an id itself, and below every new one', () => {
    expect(isId(firstIdOf(new Date()))).toBe(true);
    expect(firstIdOf(new Date(Date.now() - 1)) < newId()).toBe(true);
  });
});
