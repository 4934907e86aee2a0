import type { GoldenCall } from './golden-call.js';

/** The body of a Chat Completions answer. */
function completion(model: string, usage: object): object {
  return {
    id: 'chatcmpl-C9Qx2mVt7',
    object: 'chat.completion',
    created: 1_793_000_000,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Well paid.', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage,
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
  };
}

/** The body of a Responses answer. */
function response(model: string, items: object[], usage: object): object {
  const said = { type: 'output_text', text: 'Well paid.', annotations: [], logprobs: [] };
  return {
    id: 'resp_68f1',
    object: 'response',
    created_at: 1_793_000_000,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model,
    output: [
      ...items,
      { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [said] },
    ],
    service_tier: 'default',
    store: false,
    usage,
  };
}

const searched = (id: string, type: string) => ({
  id,
  type: 'web_search_call',
  status: 'completed',
  action: { type },
});
const promptDetails = (cached_tokens: number, more: object = {}) => ({
  cached_tokens,
  audio_tokens: 0,
  ...more,
});
const completionDetails = (more: object = {}) => ({
  reasoning_tokens: 0,
  audio_tokens: 0,
  accepted_prediction_tokens: 0,
  rejected_prediction_tokens: 0,
  ...more,
});

const CHAT: GoldenCall[] = [
  {
    what: 'plain',
    provider: 'openai',
    model: 'gpt-4o-mini',
    body: completion('gpt-4o-mini-2024-07-18', {
      prompt_tokens: 19,
      completion_tokens: 10,
      total_tokens: 29,
      prompt_tokens_details: promptDetails(0),
      completion_tokens_details: completionDetails(),
    }),
    usage: { input: 19, output: 10 },
    // 19 × 150 + 10 × 600 = 2,850 + 6,000
    nano: 8_850n,
  },
  {
    // What langfuse #10592 counted as 35,720 tokens: the cached ones are inside the prompt.
    what: 'mostly from the cache',
    provider: 'openai',
    model: 'gpt-4.1-mini',
    body: completion('gpt-4.1-mini-2025-04-14', {
      prompt_tokens: 17_903,
      completion_tokens: 40,
      total_tokens: 17_943,
      prompt_tokens_details: promptDetails(17_817),
      completion_tokens_details: completionDetails(),
    }),
    usage: { input: 86, cacheRead: 17_817, output: 40 },
    // 86 × 400 + 17,817 × 100 + 40 × 1,600 = 34,400 + 1,781,700 + 64,000
    nano: 1_880_100n,
  },
  {
    // Reasoning is inside the completion: charged once, at the price of output.
    what: 'reasoning, some of the prompt cached',
    provider: 'openai',
    model: 'gpt-5-mini',
    body: completion('gpt-5-mini-2025-08-07', {
      prompt_tokens: 1_117,
      completion_tokens: 1_186,
      total_tokens: 2_303,
      prompt_tokens_details: promptDetails(1_024),
      completion_tokens_details: completionDetails({ reasoning_tokens: 1_024 }),
    }),
    usage: { input: 93, cacheRead: 1_024, output: 1_186 },
    // 93 × 250 + 1,024 × 25 + 1,186 × 2,000 = 23,250 + 25,600 + 2,372,000
    nano: 2_420_850n,
  },
  {
    what: 'predictions, taken and rejected, which are inside the completion too',
    provider: 'openai',
    model: 'gpt-4.1',
    body: completion('gpt-4.1-2025-04-14', {
      prompt_tokens: 1_000,
      completion_tokens: 500,
      total_tokens: 1_500,
      prompt_tokens_details: promptDetails(0),
      completion_tokens_details: completionDetails({
        accepted_prediction_tokens: 120,
        rejected_prediction_tokens: 80,
      }),
    }),
    usage: { input: 1_000, output: 500 },
    // 1,000 × 2,000 + 500 × 8,000 = 2,000,000 + 4,000,000
    nano: 6_000_000n,
  },
  {
    what: 'written to the cache and read from it',
    provider: 'openai',
    model: 'gpt-5.6-luna',
    body: completion('gpt-5.6-luna', {
      prompt_tokens: 2_600,
      completion_tokens: 12,
      total_tokens: 2_612,
      prompt_tokens_details: promptDetails(2_000, { cache_write_tokens: 400 }),
      completion_tokens_details: completionDetails(),
    }),
    usage: { input: 200, cacheRead: 2_000, cacheWrite5m: 400, output: 12 },
    // 200 × 200 + 2,000 × 20 + 400 × 250 + 12 × 1,200 = 40,000 + 40,000 + 100,000 + 14,400
    nano: 194_400n,
  },
  {
    what: 'a context as long as the lower prices go, its cached part included',
    provider: 'openai',
    model: 'gpt-5.4',
    body: completion('gpt-5.4', {
      prompt_tokens: 272_000,
      completion_tokens: 1_000,
      total_tokens: 273_000,
      prompt_tokens_details: promptDetails(200_000),
      completion_tokens_details: completionDetails(),
    }),
    usage: { input: 72_000, cacheRead: 200_000, output: 1_000 },
    // 72,000 × 2,500 + 200,000 × 250 + 1,000 × 15,000 = 180,000,000 + 50,000,000 + 15,000,000
    nano: 245_000_000n,
  },
  {
    what: 'a context one token longer, for all of which the higher prices hold',
    provider: 'openai',
    model: 'gpt-5.4',
    body: completion('gpt-5.4', {
      prompt_tokens: 272_001,
      completion_tokens: 1_000,
      total_tokens: 273_001,
      prompt_tokens_details: promptDetails(200_000),
      completion_tokens_details: completionDetails(),
    }),
    usage: { input: 72_001, cacheRead: 200_000, output: 1_000 },
    // 72,001 × 5,000 + 200,000 × 500 + 1,000 × 22,500 = 360,005,000 + 100,000,000 + 22,500,000
    nano: 482_505_000n,
  },
];

const RESPONSES: GoldenCall[] = [
  {
    // The page opened and the text found in it are no searches.
    what: 'searches, and what they found from the cache',
    provider: 'openai',
    model: 'gpt-4.1-mini',
    tools: ['web_search'],
    body: response(
      'gpt-4.1-mini-2025-04-14',
      [
        searched('ws_1', 'search'),
        searched('ws_2', 'open_page'),
        searched('ws_3', 'search'),
        searched('ws_4', 'find_in_page'),
      ],
      {
        input_tokens: 5_328,
        input_tokens_details: { cached_tokens: 3_072, cache_write_tokens: 0 },
        output_tokens: 214,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 5_542,
      },
    ),
    usage: { input: 2_256, cacheRead: 3_072, output: 214, toolCalls: { web_search: 2 } },
    // 2,256 × 400 + 3,072 × 100 + 214 × 1,600 + 2 × 10,000,000 = 902,400 + 307,200 + 342,400 + 20,000,000
    nano: 21_552_000n,
  },
  {
    what: 'a look into files, with reasoning',
    provider: 'openai',
    model: 'gpt-5',
    tools: ['file_search'],
    body: response(
      'gpt-5-2025-08-07',
      [
        { id: 'rs_1', type: 'reasoning', summary: [] },
        { id: 'fs_1', type: 'file_search_call', status: 'completed', queries: ['pay'], results: null },
      ],
      {
        input_tokens: 4_096,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 1_500,
        output_tokens_details: { reasoning_tokens: 1_200 },
        total_tokens: 5_596,
      },
    ),
    usage: { input: 4_096, output: 1_500, toolCalls: { file_search: 1 } },
    // 4,096 × 1,250 + 1,500 × 10,000 + 1 × 2,500,000 = 5,120,000 + 15,000,000 + 2,500,000
    nano: 22_620_000n,
  },
  {
    what: 'a long context of all three kinds of input',
    provider: 'openai',
    model: 'gpt-6-sol',
    tools: ['web_search'],
    body: response('gpt-6-sol', [], {
      input_tokens: 300_000,
      input_tokens_details: { cached_tokens: 100_000, cache_write_tokens: 150_000 },
      output_tokens: 2_000,
      output_tokens_details: { reasoning_tokens: 1_500 },
      total_tokens: 302_000,
    }),
    usage: { input: 50_000, cacheRead: 100_000, cacheWrite5m: 150_000, output: 2_000 },
    // 50,000 × 4,000 + 100,000 × 400 + 150,000 × 5,000 + 2,000 × 15,000
    // = 200,000,000 + 40,000,000 + 750,000,000 + 30,000,000
    nano: 1_020_000_000n,
  },
  {
    what: 'code that ran, whose fee nobody knows',
    provider: 'openai',
    model: 'gpt-4.1-mini',
    tools: ['code_interpreter'],
    body: response(
      'gpt-4.1-mini-2025-04-14',
      [{ id: 'ci_1', type: 'code_interpreter_call', status: 'completed', container_id: 'cntr_1', code: '1' }],
      {
        input_tokens: 800,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 90,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 890,
      },
    ),
    usage: { input: 800, output: 90, toolCalls: { code_interpreter: 1 } },
    nano: undefined,
  },
];

/** What OpenAI sends, of both of its APIs. */
export const OPENAI_CALLS: readonly GoldenCall[] = [...CHAT, ...RESPONSES];
