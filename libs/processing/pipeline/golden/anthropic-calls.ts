import type { GoldenCall } from './golden-call.js';

/** The body of a Messages answer; what a usage does not tell is there as null, as the API writes it. */
function message(model: string, usage: object, before: object[] = []): object {
  return {
    id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
    type: 'message',
    role: 'assistant',
    model,
    container: null,
    content: [...before, { type: 'text', text: 'Well paid.', citations: null }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    stop_details: null,
    usage: {
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      inference_geo: 'global',
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: 'standard',
      speed: 'standard',
      ...usage,
    },
  };
}

const written = (ephemeral_5m_input_tokens: number, ephemeral_1h_input_tokens: number) => ({
  cache_creation: { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens },
  cache_creation_input_tokens: ephemeral_5m_input_tokens + ephemeral_1h_input_tokens,
});
const search = (id: string) => [
  { type: 'server_tool_use', id, name: 'web_search', input: { query: 'pay' }, caller: { type: 'direct' } },
  { type: 'web_search_tool_result', tool_use_id: id, content: [], caller: { type: 'direct' } },
];

/** The same call on both sides of a date from which its cache costs half. */
const CHANGED_PRICE = {
  provider: 'anthropic',
  model: 'claude-sonnet-5-5',
  body: message('claude-sonnet-5-5', {
    input_tokens: 1_000,
    cache_read_input_tokens: 10_000,
    output_tokens: 100,
  }),
  usage: { input: 1_000, cacheRead: 10_000, output: 100 },
} satisfies Partial<GoldenCall>;

/** What Anthropic sends: buckets that exclude each other. */
export const ANTHROPIC_CALLS: readonly GoldenCall[] = [
  {
    what: 'plain, as older models tell it',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    body: message('claude-haiku-4-5-20251001', {
      cache_creation: null,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      input_tokens: 25,
      output_tokens: 15,
    }),
    usage: { input: 25, output: 15 },
    // 25 × 1,000 + 15 × 5,000 = 25,000 + 75,000
    nano: 100_000n,
  },
  {
    // The bill of litellm #9812, where what was written to the cache counted twice: 4.614 and 0.825 cents.
    what: 'written to the cache',
    provider: 'anthropic',
    model: 'claude-sonnet-4-6',
    body: message('claude-sonnet-4-6', { input_tokens: 3, output_tokens: 550, ...written(12_304, 0) }),
    usage: { input: 3, cacheWrite5m: 12_304, output: 550 },
    // 3 × 3,000 + 12,304 × 3,750 + 550 × 15,000 = 9,000 + 46,140,000 + 8,250,000
    nano: 54_399_000n,
  },
  {
    // Thinking is inside the output: charged once.
    what: 'both lifetimes of the cache, read from it, and thinking',
    provider: 'anthropic',
    model: 'claude-opus-4-6',
    body: message('claude-opus-4-6', {
      input_tokens: 50,
      cache_read_input_tokens: 10_000,
      output_tokens: 400,
      output_tokens_details: { thinking_tokens: 300 },
      ...written(1_000, 2_000),
    }),
    usage: { input: 50, cacheRead: 10_000, cacheWrite5m: 1_000, cacheWrite1h: 2_000, output: 400 },
    // 50 × 5,000 + 10,000 × 500 + 1,000 × 6,250 + 2,000 × 10,000 + 400 × 25,000
    // = 250,000 + 5,000,000 + 6,250,000 + 20,000,000 + 10,000,000
    nano: 41_500_000n,
  },
  {
    what: 'searches, of which one fetched a page for nothing',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    tools: ['web_search'],
    body: message(
      'claude-haiku-4-5-20251001',
      {
        input_tokens: 6_039,
        output_tokens: 931,
        server_tool_use: { web_search_requests: 3, web_fetch_requests: 1 },
      },
      [...search('srvtoolu_1'), ...search('srvtoolu_2'), ...search('srvtoolu_3')],
    ),
    usage: { input: 6_039, output: 931, toolCalls: { web_search: 3 } },
    // 6,039 × 1,000 + 931 × 5,000 + 3 × 10,000,000 = 6,039,000 + 4,655,000 + 30,000,000
    nano: 40_694_000n,
  },
  {
    what: 'code that ran, whose fee nobody knows',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    tools: ['code_interpreter'],
    body: message('claude-haiku-4-5-20251001', { input_tokens: 900, output_tokens: 80 }, [
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'bash_code_execution', input: { command: 'ls' } },
      { type: 'bash_code_execution_tool_result', tool_use_id: 'srvtoolu_1', content: { stdout: '' } },
    ]),
    usage: { input: 900, output: 80, toolCalls: { code_interpreter: 1 } },
    nano: undefined,
  },
  {
    what: 'a context as long as the lower prices go, its cached part included',
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    body: message('claude-sonnet-4-5-20250929', {
      input_tokens: 150_000,
      cache_read_input_tokens: 50_000,
      output_tokens: 1_000,
    }),
    usage: { input: 150_000, cacheRead: 50_000, output: 1_000 },
    // 150,000 × 3,000 + 50,000 × 300 + 1,000 × 15,000 = 450,000,000 + 15,000,000 + 15,000,000
    nano: 480_000_000n,
  },
  {
    what: 'a context one token longer, written to the cache for an hour',
    provider: 'anthropic',
    model: 'claude-sonnet-4-5',
    body: message('claude-sonnet-4-5-20250929', {
      input_tokens: 150_000,
      cache_read_input_tokens: 50_000,
      output_tokens: 1_000,
      ...written(0, 1),
    }),
    usage: { input: 150_000, cacheRead: 50_000, cacheWrite1h: 1, output: 1_000 },
    // 150,000 × 6,000 + 50,000 × 600 + 1 × 12,000 + 1,000 × 22,500
    // = 900,000,000 + 30,000,000 + 12,000 + 22,500,000
    nano: 952_512_000n,
  },
  {
    ...CHANGED_PRICE,
    what: 'the last moment of a price',
    at: '2026-10-06T23:59:59.999Z',
    // 1,000 × 2,000 + 10,000 × 200 + 100 × 10,000 = 2,000,000 + 2,000,000 + 1,000,000
    nano: 5_000_000n,
  },
  {
    ...CHANGED_PRICE,
    what: 'the first moment of the next one',
    at: '2026-10-07T00:00:00.000Z',
    // 1,000 × 2,000 + 10,000 × 100 + 100 × 10,000 = 2,000,000 + 1,000,000 + 1,000,000
    nano: 4_000_000n,
  },
];
