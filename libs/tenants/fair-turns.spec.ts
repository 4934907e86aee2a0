import { jest } from '@jest/globals';
import fc from 'fast-check';
import { FairTurns } from './fair-turns.js';

/** Work that ends when it is told, and says who began in which order. */
class Workplace {
  readonly begun: string[] = [];
  private readonly open: { tenant: string; end: () => void }[] = [];

  constructor(private readonly turns: FairTurns) {}

  add(tenant: string): Promise<void> {
    return this.turns.run(tenant, () => {
      this.begun.push(tenant);
      return new Promise((end) => this.open.push({ tenant, end }));
    });
  }

  get running(): string[] {
    return this.open.map(({ tenant }) => tenant);
  }

  async end(index = 0): Promise<void> {
    this.open.splice(index % this.open.length, 1)[0]!.end();
    await settled();
  }
}

const upTo = (max: number) => fc.integer({ min: 1, max });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('FairTurns', () => {
  it('keeps a place for others from a tenant that has all', async () => {
    const place = new Workplace(new FairTurns(4, 3));
    for (let i = 0; i < 10; i++) void place.add('busy');
    await settled();
    expect(place.running).toEqual(['busy', 'busy', 'busy']);
    void place.add('other');
    await settled();
    expect(place.running).toEqual(['busy', 'busy', 'busy', 'other']);
  });

  it('gives turns by tenant, not by who came first', async () => {
    const place = new Workplace(new FairTurns(2, 1));
    for (const tenant of ['a', 'a', 'a', 'b', 'b', 'c']) void place.add(tenant);
    for (let i = 0; i < 6; i++) {
      await settled();
      await place.end();
    }
    expect(place.begun).toEqual(['a', 'b', 'a', 'b', 'c', 'a']);
  });

  it('divides one share where tenants work beside each other, and gives it whole to one that is alone again', async () => {
    let now = 0;
    const place = new Workplace(new FairTurns(6, 3, { divided: true, now: () => now }));
    for (let i = 0; i < 12; i++) void place.add('busy');
    await settled();
    expect(place.running).toEqual(['busy', 'busy', 'busy']);
    void place.add('other');
    await settled();
    for (let i = 0; i < 4; i++) await place.end();
    expect(place.running).toEqual(['busy']);
    now += 999;
    await place.end();
    expect(place.running).toEqual(['busy']);
    now += 1;
    await place.end();
    expect(place.running).toEqual(['busy', 'busy', 'busy']);
  });

  it('calls those who wait when company has gone, though nothing begins or ends', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const place = new Workplace(new FairTurns(6, 3, { divided: true }));
    const begun = () => place.running.filter((tenant) => tenant === 'busy').length;
    void place.add('other');
    await settled();
    await place.end();
    for (let i = 0; i < 4; i++) void place.add('busy');
    await settled();
    expect(begun()).toBe(1);
    await jest.advanceTimersByTimeAsync(999);
    expect(begun()).toBe(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(begun()).toBe(3);
    while (place.running.length > 0) await place.end();
    jest.useRealTimers();
  });

  it('gives each its place where there are more tenants than a share has places', async () => {
    const place = new Workplace(new FairTurns(6, 3, { divided: true, now: () => 0 }));
    for (const tenant of ['a', 'b', 'c', 'd', 'e', 'e', 'e']) void place.add(tenant);
    await settled();
    expect(place.running).toEqual(['a', 'b', 'c', 'd', 'e']);
    void place.add('f');
    await settled();
    expect(place.running).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    await place.end();
    expect(place.running).toEqual(['b', 'c', 'd', 'e', 'f', 'e']);
  });

  it('gives the place back when the work fails', async () => {
    const turns = new FairTurns(2, 1);
    for (let i = 0; i < 5; i++) {
      await expect(turns.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    }
    await expect(turns.run('a', () => Promise.resolve('yes'))).resolves.toBe('yes');
  });

  it('runs everything, never more at once than there are places, and leaves none empty that somebody may take', async () => {
    const steps = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.nat(20)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(upTo(5), upTo(5), steps, async (places, share, todo) => {
        const place = new Workplace(new FairTurns(places, share));
        const all: Promise<void>[] = [];
        const waiting = { a: 0, b: 0, c: 0 } as Record<string, number>;
        const check = (): void => {
          expect(place.running.length).toBeLessThanOrEqual(places);
          for (const [tenant, added] of Object.entries(waiting)) {
            const begun = place.begun.filter((name) => name === tenant).length;
            const own = place.running.filter((name) => name === tenant).length;
            const waits = added > begun;
            expect(own).toBeLessThanOrEqual(share);
            if (waits) expect(place.running.length === places || own === share).toBe(true);
          }
        };
        for (const step of todo) {
          if (typeof step === 'string') {
            waiting[step]! += 1;
            all.push(place.add(step));
            await settled();
          } else if (place.running.length > 0) await place.end(step);
          check();
        }
        while (place.running.length > 0) await place.end();
        await Promise.all(all);
        expect(place.begun).toHaveLength(all.length);
      }),
      { numRuns: 50 },
    );
  });
});
