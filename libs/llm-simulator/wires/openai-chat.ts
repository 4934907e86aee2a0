import {
  booleanAt,
  integerAt,
  invalid,
  isObject,
  knownOnly,
  listAt,
  modelOf,
  numberAt,
  stringsAt,
  withinContext,
} from './checks.js';
import { conversation, readContent, tokensOfJson, type Message } from './content.js';
import { forcedTool, openaiCommon, readFormat, refuseSampling, refuseSilentJson } from './openai-common.js';
import { frame, piecesOf, type Ask, type JsonObject, type Turn, type Usage, type Wire } from './wire.js';

const KNOWN = new Set(
  `messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
  modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
  reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice
  tools top_logprobs top_p user verbosity web_search_options`.split(/\s+/),
);
const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const PARTS = new Set(['text', 'image_url', 'input_audio', 'file', 'refusal']);

/** OpenAI's Chat Completions. */
export const openaiChat: Wire = {
  ...openaiCommon,
  path: '/v1/chat/completions',
  read,
  document: ({ ask, reply, id, created }) => ({
    ...head(ask, id, created, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: message({ ask, reply }),
        logprobs: null,
        finish_reason: finishReason({ ask, reply }),
      },
    ],
    ...(reply.usage ? { usage: usageOf(reply.usage) } : {}),
  }),
  frames,
};

function read(body: JsonObject): Ask {
  knownOnly(body, KNOWN, (name) => `Unrecognized request argument supplied: ${name}`);
  const model = modelOf(body);
  const { system, prompt, tokens } = conversation(messagesOf(body));
  refuseSampling(body, model, body.reasoning_effort);
  numberAt(body, 'temperature', 0, 2);
  numberAt(body, 'top_p', 0, 1);
  if ((integerAt(body, 'n', 1) ?? 1) > 1)
    throw invalid('n', "Invalid 'n': this simulator gives one choice.", 'number_above_max_value');
  const asked = {
    system,
    prompt,
    ...readFormat(
      body.response_format,
      isObject(body.response_format) ? body.response_format.json_schema : undefined,
      'response_format',
    ),
  };
  refuseSilentJson(asked, 'response_format', 'messages');
  const forced = forcedTool(body, (tool) => tool.function);
  return {
    ...asked,
    ...forced,
    wantsJson: asked.wantsJson || forced !== undefined,
    model,
    ...streamOptions(body),
    maxTokens: maxTokens(body, model),
    stopSequences: stringsAt(body, 'stop'),
    inputTokens: withinContext(tokens + tokensOfJson(body.tools) + tokensOfJson(asked.schema)),
    body,
  };
}

function messagesOf(body: JsonObject): Message[] {
  if (body.messages === undefined)
    throw invalid('messages', "Missing required parameter: 'messages'.", 'missing_required_parameter');
  const messages = listAt(body, 'messages');
  if (messages.length === 0)
    throw invalid(
      'messages',
      "Invalid 'messages': empty array. Expected an array with minimum length 1.",
      'empty_array',
    );
  return messages.map((given, index) => {
    const path = `messages[${index}]`;
    if (!isObject(given))
      throw invalid(path, `Invalid type for '${path}': expected an object.`, 'invalid_type');
    const { role, content } = given;
    if (typeof role !== 'string' || !ROLES.has(role)) {
      throw invalid(
        `${path}.role`,
        `Invalid value: '${String(role)}'. Supported values are: ${[...ROLES].map((name) => `'${name}'`).join(', ')}.`,
        'invalid_value',
      );
    }
    const silent = role === 'assistant' && (content === null || content === undefined);
    return {
      role,
      ...(silent
        ? { text: '', tokens: tokensOfJson(given.tool_calls) }
        : readContent(content, `${path}.content`, PARTS)),
    };
  });
}

function streamOptions(body: JsonObject): Pick<Ask, 'stream' | 'includeUsage'> {
  const stream = booleanAt(body, 'stream');
  const options = body.stream_options ?? undefined;
  if (options === undefined) return { stream, includeUsage: false };
  if (!stream)
    throw invalid(
      'stream_options',
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    );
  if (!isObject(options))
    throw invalid('stream_options', "Invalid type for 'stream_options': expected an object.", 'invalid_type');
  return { stream, includeUsage: booleanAt(options, 'include_usage') };
}

function maxTokens(body: JsonObject, model: string): number | undefined {
  const old = integerAt(body, 'max_tokens', 1);
  const current = integerAt(body, 'max_completion_tokens', 1);
  if (old !== undefined && current !== undefined) {
    throw invalid(
      'max_tokens',
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'invalid_parameter_combination',
    );
  }
  if (old !== undefined && /^(o\d|gpt-5)/.test(model)) {
    throw invalid(
      'max_tokens',
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'unsupported_parameter',
    );
  }
  return current ?? old;
}

function head(ask: Ask, id: string, created: number, object: string): JsonObject {
  return {
    id: `chatcmpl-${id}`,
    object,
    created,
    model: ask.model,
    service_tier: 'default',
    system_fingerprint: 'fp_simulator',
  };
}

function message({ ask, reply }: Pick<Turn, 'ask' | 'reply'>): JsonObject {
  if (reply.finish === 'refusal')
    return { role: 'assistant', content: null, refusal: reply.text, annotations: [] };
  if (!ask.tool) return { role: 'assistant', content: reply.text, refusal: null, annotations: [] };
  return {
    role: 'assistant',
    content: null,
    refusal: null,
    annotations: [],
    tool_calls: [
      { id: 'call_simulator_0', type: 'function', function: { name: ask.tool.name, arguments: reply.text } },
    ],
  };
}

/** A function that the request itself named ends with `stop`; one the model chose with `tool_calls`. */
function finishReason({ ask, reply }: Pick<Turn, 'ask' | 'reply'>): string {
  if (reply.finish === 'length') return 'length';
  return ask.tool && !ask.tool.named && reply.finish !== 'refusal' ? 'tool_calls' : 'stop';
}

function usageOf(usage: Usage): JsonObject {
  const prompt =
    usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.output_tokens,
    total_tokens: prompt + usage.output_tokens,
    prompt_tokens_details: {
      cached_tokens: usage.cache_read_tokens,
      cache_write_tokens: usage.cache_write_tokens + usage.cache_write_1h_tokens,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning_tokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function frames({ ask, reply, id, created }: Turn): string[] {
  const chunkHead = {
    ...head(ask, id, created, 'chat.completion.chunk'),
    ...(ask.includeUsage ? { usage: null } : {}),
  };
  const chunk = (delta: JsonObject, finish: string | null = null) =>
    frame({ ...chunkHead, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
  const pieces = piecesOf(reply.text).map((piece) => chunk(deltaOf(piece, { ask, reply })));
  const usage =
    ask.includeUsage && reply.usage
      ? [frame({ ...chunkHead, choices: [], usage: usageOf(reply.usage) })]
      : [];
  return [
    chunk(opening({ ask, reply })),
    ...pieces,
    chunk({}, finishReason({ ask, reply })),
    ...usage,
    frame('[DONE]'),
  ];
}

function opening({ ask, reply }: Pick<Turn, 'ask' | 'reply'>): JsonObject {
  if (!ask.tool || reply.finish === 'refusal') return { role: 'assistant', content: '', refusal: null };
  const call = {
    index: 0,
    id: 'call_simulator_0',
    type: 'function',
    function: { name: ask.tool.name, arguments: '' },
  };
  return { role: 'assistant', content: null, tool_calls: [call] };
}

function deltaOf(piece: string, { ask, reply }: Pick<Turn, 'ask' | 'reply'>): JsonObject {
  if (reply.finish === 'refusal') return { refusal: piece };
  return ask.tool ? { tool_calls: [{ index: 0, function: { arguments: piece } }] } : { content: piece };
}
