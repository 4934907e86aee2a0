import fc from 'fast-check';
import { openAiUsage } from './openai-usage.js';

const buckets = { cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, toolCalls: {} };

describe('openAiUsage', () => {
  it.each([
    [
      'plain',
      { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 },
      { ...buckets, input: 19, output: 10 },
    ],
    [
      'cached, with reasoning inside the output',
      {
        prompt_tokens: 2006,
        completion_tokens: 300,
        prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 256 },
      },
      { ...buckets, input: 86, cacheRead: 1920, output: 300 },
    ],
    [
      'with cache writes',
      {
        prompt_tokens: 2600,
        completion_tokens: 12,
        prompt_tokens_details: { cached_tokens: 2000, cache_write_tokens: 400 },
      },
      { ...buckets, input: 200, cacheRead: 2000, cacheWrite5m: 400, output: 12 },
    ],
    [
      'with details that are null',
      { prompt_tokens: 5, completion_tokens: 0, prompt_tokens_details: null },
      { ...buckets, input: 5, output: 0 },
    ],
  ])('splits usage that is %s', (_what, usage, expected) => {
    expect(openAiUsage(usage)).toEqual(expected);
  });

  it.each([
    ['none', undefined],
    ['null', null],
    ['a text', '12 tokens'],
    ['empty', {}],
    ['negative', { prompt_tokens: -1, completion_tokens: 2 }],
    ['a text inside', { prompt_tokens: '12', completion_tokens: 2 }],
    ['a fraction', { prompt_tokens: 1.5, completion_tokens: 2 }],
    ['NaN', { prompt_tokens: NaN, completion_tokens: 2 }],
    ['without output', { prompt_tokens: 12 }],
    ['of an empty prompt', { prompt_tokens: 0, completion_tokens: 0 }],
    [
      'with more cached than there is',
      { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 11 } },
    ],
    [
      'with negative cached tokens',
      { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cached_tokens: -1 } },
    ],
  ])('does not believe usage that is %s', (_what, usage) => {
    expect(openAiUsage(usage)).toBeUndefined();
  });

  it('loses and invents no tokens', () => {
    const count = fc.nat({ max: 1_000_000 });
    fc.assert(
      fc.property(count, count, count, count, (prompt, cached, written, output) => {
        const details = { cached_tokens: cached, cache_write_tokens: written };
        const usage = openAiUsage({
          prompt_tokens: prompt,
          completion_tokens: output,
          prompt_tokens_details: details,
        });
        const sum = usage && usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
        expect(sum).toBe(prompt > 0 && cached + written <= prompt ? prompt : undefined);
      }),
    );
  });
});
