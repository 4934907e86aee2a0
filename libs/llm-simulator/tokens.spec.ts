import fc from 'fast-check';
import { countTokens as trueCount } from 'gpt-tokenizer/encoding/o200k_base';
import { countTokens, firstTokens } from './tokens.js';

describe('countTokens', () => {
  it('counts a long ordinary text exactly', () => {
    const text = 'The quick brown fox jumps over 13 lazy dogs, near Zürich; nobody minds.\n'.repeat(500);
    expect(countTokens(text)).toBe(trueCount(text));
  });

  it('takes special tokens as text', () => {
    expect(countTokens('hello <|endoftext|> world <|im_start|>')).toBeGreaterThan(8);
  });

  it('counts unbroken runs in linear time, close to the truth', () => {
    const run = 'abcdefghij'.repeat(400);
    expect(Math.abs(countTokens(run) - trueCount(run))).toBeLessThan(16);
    expect(countTokens('x'.repeat(300_000))).toBeGreaterThan(1_000);
    expect(countTokens(' '.repeat(300_000))).toBeGreaterThan(0);
  });

  it('is zero only for the empty text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 2_000 }), (text) => {
        expect(countTokens(text) === 0).toBe(text === '');
      }),
      { seed: 1, numRuns: 50 },
    );
  });
});

describe('firstTokens', () => {
  it('keeps a start of the text with no more tokens than asked', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 400 }),
        fc.integer({ min: 1, max: 60 }),
        (text, limit) => {
          const head = firstTokens(text, limit);
          expect(text.startsWith(head.text)).toBe(true);
          expect(head.tokens).toBeLessThanOrEqual(limit);
          expect(head.cut).toBe(countTokens(text) > limit);
          if (!head.cut) expect(head.text).toBe(text);
        },
      ),
      { seed: 2, numRuns: 100 },
    );
  });
});
