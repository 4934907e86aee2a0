import { OPENAI_CALLS } from './openai-calls.js';

/** A streamed answer as it travels, and the golden call whose figures it must come to. */
export interface GoldenStream {
  kind: 'completion' | 'response' | 'message';
  what: string;
  frames: string;
}

const event = (data: object | string, name?: string) =>
  `${name ? `event: ${name}\n` : ''}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/** Usage comes once, in a last chunk without choices; every chunk before it has null. */
function completionFrames(): string {
  const chunk = (choices: object[], usage: object | null = null) =>
    event({
      id: 'chatcmpl-C9Qx2mVt7',
      object: 'chat.completion.chunk',
      created: 1_793_000_000,
      model: 'gpt-5-mini-2025-08-07',
      service_tier: 'default',
      choices,
      usage,
    });
  const delta = (part: object, finish_reason: string | null = null) =>
    chunk([{ index: 0, delta: part, logprobs: null, finish_reason }]);
  const usage = {
    prompt_tokens: 1_117,
    completion_tokens: 1_186,
    total_tokens: 2_303,
    prompt_tokens_details: { cached_tokens: 1_024, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 1_024, audio_tokens: 0 },
  };
  return [
    delta({ role: 'assistant', content: '', refusal: null }),
    delta({ content: 'Well ' }),
    delta({ content: 'paid.' }),
    delta({}, 'stop'),
    chunk([], usage),
    event('[DONE]'),
  ].join('');
}

/** The last event holds the whole response, usage and all. */
function responseFrames(what: string): string {
  const response = OPENAI_CALLS.find((call) => call.what === what)!.body as { output: object[] };
  const begun = { ...response, status: 'in_progress', output: [], usage: null };
  const named = (type: string, sequence_number: number, more: object) =>
    event({ type, sequence_number, ...more }, type);
  return [
    named('response.created', 0, { response: begun }),
    named('response.completed', 1, { response }),
  ].join('');
}

/** Counts are cumulative: the first event has those of the input and a first output token, the last one all of them. */
function messageFrames(): string {
  const input = { input_tokens: 3, cache_creation_input_tokens: 12_304, cache_read_input_tokens: 0 };
  const start = {
    id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-6',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      ...input,
      cache_creation: { ephemeral_5m_input_tokens: 12_304, ephemeral_1h_input_tokens: 0 },
      output_tokens: 1,
      service_tier: 'standard',
    },
  };
  const text = { type: 'text_delta', text: 'Well paid.' };
  const events = [
    { type: 'message_start', message: start },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    { type: 'content_block_delta', index: 0, delta: text },
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { ...input, output_tokens: 550, server_tool_use: null },
    },
    { type: 'message_stop' },
  ];
  return events.map((each) => event(each, each.type)).join('');
}

const LOOK = 'a look into files, with reasoning';

export const STREAMS: readonly GoldenStream[] = [
  { kind: 'completion', what: 'reasoning, some of the prompt cached', frames: completionFrames() },
  { kind: 'response', what: LOOK, frames: responseFrames(LOOK) },
  { kind: 'message', what: 'written to the cache', frames: messageFrames() },
];
