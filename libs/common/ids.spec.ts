import fc from 'fast-check';
import { v7 } from 'uuid';
import { firstIdOf, isId, newId, timeOfId } from './ids.js';

describe('newId', () => {
  it('never repeats itself, and sorts in the order it is called', () => {
    const ids = Array.from({ length: 20_000 }, newId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.every(isId)).toBe(true);
  });

  it('tells the time it was made at', () => {
    const before = Date.now();
    const id = newId();
    expect(id >= firstIdOf(new Date(before))).toBe(true);
    expect(id < firstIdOf(new Date(Date.now() + 1))).toBe(true);
  });
});

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

describe('timeOfId', () => {
  it('is when the id was made, to the millisecond', () => {
    const time = fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true });
    fc.assert(fc.property(time, (made) => expect(timeOfId(v7({ msecs: made.getTime() }))).toEqual(made)));
    expect(Math.abs(timeOfId(newId()).getTime() - Date.now())).toBeLessThan(1_000);
  });
});
