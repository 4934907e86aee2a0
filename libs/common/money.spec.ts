import fc from 'fast-check';
import { centsProblem, centsToNano, MAX_CENTS, nanoToCents, nanoToUsd } from './money.js';

describe('money', () => {
  it('writes nano-dollars exactly', () => {
    expect(nanoToUsd(1n)).toBe(1e-9);
    expect(nanoToUsd(-1_500_000_000n)).toBe(-1.5);
    expect(nanoToCents(12_345_678n)).toBe(1.2345678);
  });

  it('reads cents back to the nano-dollar', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 14n }), (nano) => {
        expect(centsToNano(nanoToCents(nano))).toBe(nano);
      }),
    );
  });

  it.each([-1, Number.NaN, Infinity, 0.00000001, 1.5e-7, 1e-20, 5e-324, 33.333333333333336])(
    'refuses %p cents',
    (cents) => {
      expect(() => centsToNano(cents)).toThrow(RangeError);
      expect(centsProblem(cents)).toContain('at most seven decimal places');
    },
  );

  it('takes as a limit what can be read, up to a billion dollars', () => {
    for (const cents of [0, 1e-7, 3e-7, 0.1, 12.3456789, MAX_CENTS]) {
      expect(centsProblem(cents)).toBeUndefined();
      expect(nanoToCents(centsToNano(cents))).toBe(cents);
    }
    for (const value of [MAX_CENTS + 0.001, 1e308, '1', null, undefined, [1]])
      expect(centsProblem(value)).toMatch(/^must be a number of cents/);
  });
});
