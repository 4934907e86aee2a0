import {
  booleanAt,
  integerAt,
  invalid,
  isObject,
  knownOnly,
  modelOf,
  numberAt,
  withinContext,
} from './checks.js';
import { conversation, readContent, tokensOfJson, type Message } from './content.js';
import { forcedTool, openaiCommon, readFormat, refuseSampling, refuseSilentJson } from './openai-common.js';
import { annotationsOf, serverTools, toolItems } from './responses-items.js';
import { frame, piecesOf, type Ask, type JsonObject, type Turn, type Usage, type Wire } from './wire.js';

const KNOWN = new Set(
  `background context_management conversation include input instructions max_output_tokens max_tool_calls metadata model moderation
  parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning
  safety_identifier service_tier store stream stream_options temperature text tool_choice tools top_logprobs top_p truncation
  user`.split(/\s+/),
);
const ROLES = new Set(['system', 'developer', 'user', 'assistant']);
const PARTS = new Set(['input_text', 'output_text', 'input_image', 'input_file', 'refusal']);
const LEAST_OUTPUT = 16;

/** OpenAI's Responses. */
export const openaiResponses: Wire = { ...openaiCommon, path: '/v1/responses', read, document, frames };

function read(body: JsonObject): Ask {
  knownOnly(body, KNOWN, (name) => `Unknown parameter: '${name}'.`);
  const model = modelOf(body);
  const { system, prompt, tokens } = conversation(messagesOf(body));
  refuseSampling(body, model, isObject(body.reasoning) ? body.reasoning.effort : undefined);
  numberAt(body, 'temperature', 0, 2);
  numberAt(body, 'top_p', 0, 1);
  const previous = body.previous_response_id ?? undefined;
  if (previous !== undefined) {
    throw invalid(
      'previous_response_id',
      `Previous response with id '${String(previous)}' not found.`,
      'previous_response_not_found',
    );
  }
  const format = isObject(body.text) ? body.text.format : undefined;
  const asked = { system, prompt, ...readFormat(format, format, 'text.format') };
  refuseSilentJson(asked, 'text.format', 'input');
  const forced = forcedTool(body, (tool) => (tool.type === 'function' ? tool : undefined));
  return {
    ...asked,
    ...forced,
    ...serverTools(body),
    wantsJson: asked.wantsJson || forced !== undefined,
    model,
    stream: booleanAt(body, 'stream'),
    includeUsage: true,
    maxTokens: integerAt(body, 'max_output_tokens', LEAST_OUTPUT),
    stopSequences: [],
    inputTokens: withinContext(tokens + tokensOfJson(body.tools) + tokensOfJson(asked.schema)),
    body,
  };
}

function messagesOf(body: JsonObject): Message[] {
  const instructions = body.instructions ?? '';
  if (typeof instructions !== 'string')
    throw invalid('instructions', "Invalid type for 'instructions': expected a string.", 'invalid_type');
  const system =
    instructions === '' ? [] : [{ role: 'system', ...readContent(instructions, 'instructions', PARTS) }];
  if (body.input === undefined)
    throw invalid('input', "Missing required parameter: 'input'.", 'missing_required_parameter');
  if (typeof body.input === 'string')
    return [...system, { role: 'user', ...readContent(body.input, 'input', PARTS) }];
  if (!Array.isArray(body.input))
    throw invalid('input', "Invalid type for 'input': expected a string or an array.", 'invalid_type');
  if (body.input.length === 0) throw invalid('input', "Invalid 'input': empty array.", 'empty_array');
  return [...system, ...(body.input as unknown[]).map((item, index) => itemOf(item, `input[${index}]`))];
}

function itemOf(item: unknown, path: string): Message {
  if (!isObject(item)) throw invalid(path, `Invalid type for '${path}': expected an object.`, 'invalid_type');
  // Items other than messages are earlier tool calls and their results.
  if ((item.type ?? 'message') !== 'message') return { role: 'tool', text: '', tokens: tokensOfJson(item) };
  const { role, content } = item;
  if (typeof role !== 'string' || !ROLES.has(role)) {
    throw invalid(
      `${path}.role`,
      `Invalid value: '${String(role)}'. Supported values are: ${[...ROLES].map((name) => `'${name}'`).join(', ')}.`,
      'invalid_value',
    );
  }
  return { role, ...readContent(content, `${path}.content`, PARTS) };
}

function document(turn: Turn): JsonObject {
  const { reply, created } = turn;
  const cut = reply.finish === 'length';
  return {
    ...skeleton(turn),
    status: cut ? 'incomplete' : 'completed',
    completed_at: cut ? null : created,
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output: [...toolItems(turn), finishedItem(turn)],
    ...(reply.usage ? { usage: usageOf(reply.usage) } : { usage: null }),
  };
}

/** The response without its outcome, as the first events of a stream show it. */
function skeleton({ ask, id, created }: Turn): JsonObject {
  const { body } = ask;
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: created,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: ask.model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: body.reasoning ?? { effort: null, summary: null },
    service_tier: 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    usage: null,
    user: body.user ?? null,
  };
}

function finishedItem({ ask, reply, id }: Turn): JsonObject {
  const status = reply.finish === 'length' ? 'incomplete' : 'completed';
  if (ask.tool && reply.finish !== 'refusal') {
    return {
      id: `fc_${id}`,
      type: 'function_call',
      status,
      call_id: `call_${id}`,
      name: ask.tool.name,
      arguments: reply.text,
    };
  }
  return {
    id: `msg_${id}`,
    type: 'message',
    status,
    role: 'assistant',
    content: [part(reply.finish === 'refusal', reply.text, annotationsOf(reply.sources, reply.text))],
  };
}

function part(refused: boolean, text: string, annotations: JsonObject[] = []): JsonObject {
  return refused
    ? { type: 'refusal', refusal: text }
    : { type: 'output_text', text, annotations, logprobs: [] };
}

function usageOf(usage: Usage): JsonObject {
  const written = usage.cache_write_tokens + usage.cache_write_1h_tokens;
  const input = usage.input_tokens + usage.cache_read_tokens + written;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cache_read_tokens, cache_write_tokens: written },
    output_tokens: usage.output_tokens,
    output_tokens_details: { reasoning_tokens: usage.reasoning_tokens },
    total_tokens: input + usage.output_tokens,
  };
}

function frames(turn: Turn): string[] {
  const { ask, reply } = turn;
  const begun = toolItems(turn);
  const events: JsonObject[] = [
    { type: 'response.created', response: skeleton(turn) },
    { type: 'response.in_progress', response: skeleton(turn) },
    ...begun.flatMap((item, output_index) => [
      { type: 'response.output_item.added', output_index, item: { ...item, status: 'in_progress' } },
      { type: 'response.output_item.done', output_index, item },
    ]),
    ...(ask.tool && reply.finish !== 'refusal'
      ? callEvents(turn, begun.length)
      : messageEvents(turn, begun.length)),
    {
      type: reply.finish === 'length' ? 'response.incomplete' : 'response.completed',
      response: document(turn),
    },
  ];
  return events.map((event, index) => frame({ ...event, sequence_number: index }, String(event.type)));
}

function messageEvents(turn: Turn, output_index: number): JsonObject[] {
  const { reply } = turn;
  const item = finishedItem(turn);
  const refused = reply.finish === 'refusal';
  const at = { item_id: item.id, output_index, content_index: 0 };
  const logprobs = refused ? {} : { logprobs: [] };
  const kind = refused ? 'response.refusal' : 'response.output_text';
  const annotations = refused ? [] : annotationsOf(reply.sources, reply.text);
  return [
    {
      type: 'response.output_item.added',
      output_index,
      item: { ...item, status: 'in_progress', content: [] },
    },
    { type: 'response.content_part.added', ...at, part: part(refused, '') },
    ...piecesOf(reply.text).map((delta) => ({ type: `${kind}.delta`, ...at, delta, ...logprobs })),
    ...annotations.map((annotation, annotation_index) => ({
      type: 'response.output_text.annotation.added',
      ...at,
      annotation_index,
      annotation,
    })),
    { type: `${kind}.done`, ...at, [refused ? 'refusal' : 'text']: reply.text, ...logprobs },
    { type: 'response.content_part.done', ...at, part: part(refused, reply.text, annotations) },
    { type: 'response.output_item.done', output_index, item },
  ];
}

function callEvents(turn: Turn, output_index: number): JsonObject[] {
  const item = finishedItem(turn);
  const at = { item_id: item.id, output_index };
  return [
    {
      type: 'response.output_item.added',
      output_index,
      item: { ...item, status: 'in_progress', arguments: '' },
    },
    ...piecesOf(turn.reply.text).map((delta) => ({
      type: 'response.function_call_arguments.delta',
      ...at,
      delta,
    })),
    { type: 'response.function_call_arguments.done', ...at, name: item.name, arguments: turn.reply.text },
    { type: 'response.output_item.done', output_index, item },
  ];
}
