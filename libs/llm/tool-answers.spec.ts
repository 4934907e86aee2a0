import fc from 'fast-check';
import { keptCitations } from './tool-answers.js';

describe('keptCitations', () => {
  it('keeps at most a hundred, none twice, none empty', () => {
    const many = Array.from({ length: 300 }, (_, n) => ({ url: `https://a.example/${n % 150}` }));
    expect(keptCitations([{}, { title: '' }, ...many])).toHaveLength(100);
  });

  it('is of bounded size, whatever was cited', () => {
    const citation = fc.record({ url: fc.string(), title: fc.string(), quote: fc.string() });
    fc.assert(
      fc.property(fc.array(citation), fc.integer({ min: 1, max: 5000 }), (found, times) => {
        const long = found.map(({ url, title, quote }) => ({
          url: url.repeat(times),
          title: title.repeat(times),
          quote: quote.repeat(times),
        }));
        expect(JSON.stringify(keptCitations(long.slice(0, 3))).length).toBeLessThan(3 * 6 * 3_400);
      }),
      { numRuns: 30 },
    );
  });
});
