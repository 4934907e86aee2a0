import type { IncomingHttpHeaders } from 'node:http';
import { blockEvents, containerOf, contentBlocks, serverTools } from './anthropic-blocks.js';
import {
  booleanAt,
  integerAt,
  invalid,
  isObject,
  knownOnly,
  listAt,
  strictnessFault,
  stringsAt,
  withinContext,
} from './checks.js';
import { conversation, readContent, tokensOfJson, type Message } from './content.js';
import {
  Fault,
  frame,
  piecesOf,
  type Ask,
  type Finish,
  type JsonObject,
  type Reply,
  type Turn,
  type Usage,
  type Wire,
} from './wire.js';

const KNOWN = new Set(
  `max_tokens messages model betas cache_control container context_management diagnostics inference_geo mcp_servers metadata
  output_config service_tier speed stop_sequences stream system thinking tool_choice tools user_profile_id workspace_id`.split(
    /\s+/,
  ),
);
const SAMPLING = ['temperature', 'top_p', 'top_k'];
const PARTS = new Set(
  `text image document search_result thinking redacted_thinking tool_use tool_result server_tool_use web_search_tool_result
  web_fetch_tool_result code_execution_tool_result bash_code_execution_tool_result text_editor_code_execution_tool_result`.split(
    /\s+/,
  ),
);
const TYPES: Partial<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};
const STOP_REASONS: Record<Finish, string> = {
  stop: 'end_turn',
  length: 'max_tokens',
  refusal: 'refusal',
  stop_sequence: 'stop_sequence',
  pause: 'pause_turn',
};

/** Anthropic's Messages. */
export const anthropicMessages: Wire = {
  path: '/v1/messages',
  keyOf,
  badKey: () => new Fault(401, 'invalid x-api-key'),
  read,
  document: (turn) => ({
    ...skeleton(turn),
    container: containerOf(turn),
    content: contentOf(turn),
    ...ending(turn),
    usage: turn.reply.usage && usageOf(turn.reply.usage),
  }),
  frames,
  fault: ({ status, message }, requestId) => ({
    type: 'error',
    error: { type: TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error'), message },
    request_id: requestId,
  }),
  headers: (requestId) => ({ 'request-id': requestId, 'anthropic-organization-id': 'simulator' }),
};

function keyOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-api-key'];
  const key =
    typeof given === 'string' && given !== ''
      ? given
      : /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (key !== undefined) return key;
  throw new Fault(401, 'x-api-key header is required');
}

function read(body: JsonObject, headers: IncomingHttpHeaders): Ask {
  if (headers['anthropic-version'] === undefined)
    throw new Fault(400, 'anthropic-version: header is required');
  const sampling = SAMPLING.find((name) => name in body);
  if (sampling !== undefined)
    throw invalid(sampling, `${sampling}: this parameter is not supported. Remove it from the request.`);
  knownOnly(body, KNOWN, (name) => `${name}: Extra inputs are not permitted`);
  if (typeof body.model !== 'string' || body.model === '') throw invalid('model', 'model: Field required');
  const maxTokens = integerAt(body, 'max_tokens', 1);
  if (maxTokens === undefined) throw invalid('max_tokens', 'max_tokens: Field required');
  const { system, prompt, tokens } = conversation([...systemOf(body), ...messagesOf(body)]);
  const forced = forcedTool(body);
  const schema = forced?.schema ?? schemaOf(body);
  return {
    system,
    prompt,
    schema,
    wantsJson: schema !== undefined,
    tool: forced?.tool,
    ...serverTools(body),
    model: body.model,
    stream: booleanAt(body, 'stream'),
    includeUsage: true,
    maxTokens,
    stopSequences: stringsAt(body, 'stop_sequences'),
    inputTokens: withinContext(tokens + tokensOfJson(body.tools) + (forced ? 0 : tokensOfJson(schema))),
    body,
  };
}

function systemOf(body: JsonObject): Message[] {
  const system = body.system ?? undefined;
  return system === undefined
    ? []
    : [{ role: 'system', ...readContent(system, 'system', new Set(['text'])) }];
}

function messagesOf(body: JsonObject): Message[] {
  if (!Array.isArray(body.messages)) throw invalid('messages', 'messages: Field required');
  if (body.messages.length === 0) throw invalid('messages', 'messages: at least one message is required');
  return (body.messages as unknown[]).map((given, index) => {
    const path = `messages.${index}`;
    if (!isObject(given)) throw invalid(path, `${path}: Input should be a valid dictionary`);
    const { role, content } = given;
    if (role !== 'user' && role !== 'assistant')
      throw invalid(`${path}.role`, `${path}.role: Input should be 'user' or 'assistant'`);
    const read = readContent(content, `${path}.content`, PARTS);
    const empty = content === '' || (Array.isArray(content) && content.length === 0);
    if (empty) throw invalid(`${path}.content`, `${path}: all messages must have non-empty content`);
    return { role, ...read };
  });
}

function schemaOf(body: JsonObject): JsonObject | undefined {
  const config = body.output_config ?? undefined;
  if (config !== undefined && !isObject(config))
    throw invalid('output_config', 'output_config: Input should be a valid dictionary');
  const format = config?.format ?? undefined;
  if (format === undefined) return undefined;
  if (!isObject(format) || format.type !== 'json_schema') {
    throw invalid('output_config.format.type', "output_config.format.type: Input should be 'json_schema'");
  }
  if (!isObject(format.schema))
    throw invalid('output_config.format.schema', 'output_config.format.schema: Field required');
  const fault = strictnessFault(format.schema, false);
  if (fault)
    throw invalid(
      'output_config.format.schema',
      `output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false. ${fault}`,
    );
  return format.schema;
}

function forcedTool(body: JsonObject): { tool: NonNullable<Ask['tool']>; schema: JsonObject } | undefined {
  const tools = listAt(body, 'tools');
  const choice = body.tool_choice ?? undefined;
  if (choice === undefined) return undefined;
  if (!isObject(choice)) throw invalid('tool_choice', 'tool_choice: Input should be a valid dictionary');
  if (choice.type === 'auto' || choice.type === 'none') return undefined;
  if (choice.type !== 'tool' && choice.type !== 'any') {
    throw invalid('tool_choice.type', "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'");
  }
  const chosen = tools.find(
    (tool) =>
      isObject(tool) && isObject(tool.input_schema) && (choice.type === 'any' || tool.name === choice.name),
  );
  if (!isObject(chosen) || typeof chosen.name !== 'string') {
    throw invalid(
      'tool_choice',
      `tool_choice: Tool '${String(choice.name ?? '')}' not found in provided tools`,
    );
  }
  const schema = isObject(chosen.input_schema) ? chosen.input_schema : {};
  return { tool: { name: chosen.name, named: choice.type === 'tool' }, schema };
}

function skeleton({ ask, id }: Turn): JsonObject {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model: ask.model,
    container: null,
    content: [],
    diagnostics: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
  };
}

function ending({ ask, reply }: Turn): JsonObject {
  const called = ask.tool !== undefined && (reply.finish === 'stop' || reply.finish === 'stop_sequence');
  return {
    stop_reason: called ? 'tool_use' : STOP_REASONS[reply.finish],
    stop_sequence: called ? null : (reply.stopSequence ?? null),
    stop_details:
      reply.finish === 'refusal' ? { type: 'refusal', category: null, explanation: reply.text } : null,
  };
}

function contentOf(turn: Turn): JsonObject[] {
  const { ask, reply } = turn;
  if (reply.finish === 'refusal') return [];
  if (!ask.tool) return contentBlocks(turn);
  return [{ ...toolBlock(turn), input: parsedInput(reply) }];
}

function toolBlock({ ask, id }: Turn): JsonObject {
  return { type: 'tool_use', id: `toolu_${id}`, name: ask.tool?.name, input: {}, caller: { type: 'direct' } };
}

/** Input that was cut or broken cannot be written as an object; the provider then gives an empty one. */
function parsedInput({ text }: Reply): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function usageOf(usage: Usage): JsonObject {
  return {
    input_tokens: usage.input_tokens,
    cache_creation_input_tokens: usage.cache_write_tokens + usage.cache_write_1h_tokens,
    cache_read_input_tokens: usage.cache_read_tokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cache_write_tokens,
      ephemeral_1h_input_tokens: usage.cache_write_1h_tokens,
    },
    output_tokens: usage.output_tokens,
    output_tokens_details: { thinking_tokens: usage.reasoning_tokens },
    server_tool_use:
      usage.web_searches > 0 ? { web_search_requests: usage.web_searches, web_fetch_requests: 0 } : null,
    service_tier: 'standard',
    inference_geo: null,
    speed: null,
  };
}

function frames(turn: Turn): string[] {
  const { reply } = turn;
  const events: JsonObject[] = [
    {
      type: 'message_start',
      message: { ...skeleton(turn), usage: reply.usage && usageOf({ ...reply.usage, output_tokens: 1 }) },
    },
    { type: 'ping' },
    ...(reply.finish === 'refusal' ? [] : contentEvents(turn)),
    {
      type: 'message_delta',
      delta: { ...ending(turn), container: containerOf(turn) },
      usage: reply.usage && closingUsage(reply.usage),
    },
    { type: 'message_stop' },
  ];
  return events.map((event) => frame(event, String(event.type)));
}

function contentEvents(turn: Turn): JsonObject[] {
  const { ask, reply } = turn;
  if (!ask.tool) return contentBlocks(turn).flatMap((block, index) => blockEvents(block, index));
  const delta = (partial_json: string) => ({ type: 'input_json_delta', partial_json });
  return [
    { type: 'content_block_start', index: 0, content_block: toolBlock(turn) },
    ...piecesOf(reply.text).map((piece) => ({ type: 'content_block_delta', index: 0, delta: delta(piece) })),
    { type: 'content_block_stop', index: 0 },
  ];
}

function closingUsage(usage: Usage): JsonObject {
  const { cache_creation, service_tier, inference_geo, speed, ...counted } = usageOf(usage);
  return counted;
}
