import fc from 'fast-check';
import { centsToNano, nanoToCents, nanoToUsd } from './money.js';

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

  it.each([-1, Number.NaN, Infinity, 0.00000001])('refuses %p cents', (cents) => {
    expect(() => centsToNano(cents)).toThrow(RangeError);
  });
});
