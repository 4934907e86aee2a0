import { anthropicUsage } from './anthropic-usage.js';

describe('anthropicUsage', () => {
  it('keeps the buckets apart as they come', () => {
    const usage = {
      input_tokens: 10,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 70,
      cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 40 },
      output_tokens: 50,
      server_tool_use: { web_search_requests: 3, web_fetch_requests: 0 },
    };
    expect(anthropicUsage(usage, 2)).toEqual({
      input: 10,
      cacheRead: 20,
      cacheWrite5m: 30,
      cacheWrite1h: 40,
      output: 50,
      toolCalls: { web_search: 3, code_interpreter: 2 },
    });
  });

  it('takes what is not told apart for the default lifetime, and null for nothing', () => {
    const usage = {
      input_tokens: 0,
      cache_read_input_tokens: null,
      cache_creation_input_tokens: 70,
      cache_creation: null,
      output_tokens: 0,
      server_tool_use: null,
    };
    expect(anthropicUsage(usage, 0)).toEqual({
      input: 0,
      cacheRead: 0,
      cacheWrite5m: 70,
      cacheWrite1h: 0,
      output: 0,
      toolCalls: {},
    });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['no input', { output_tokens: 1 }],
    ['no output', { input_tokens: 1 }],
    ['a negative count', { input_tokens: -1, output_tokens: 1 }],
    ['a fraction', { input_tokens: 1.5, output_tokens: 1 }],
    ['a text', { input_tokens: '1', output_tokens: 1 }],
    ['an empty prompt', { input_tokens: 0, output_tokens: 1 }],
    [
      'parts that do not make the whole',
      {
        input_tokens: 1,
        output_tokens: 1,
        cache_creation_input_tokens: 5,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 3 },
      },
    ],
    [
      'a count of searches that is none',
      { input_tokens: 1, output_tokens: 1, server_tool_use: { web_search_requests: -2 } },
    ],
  ])('makes no usage of %s', (_what, usage) => {
    expect(anthropicUsage(usage, 0)).toBeUndefined();
  });
});
