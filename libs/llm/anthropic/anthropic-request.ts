import type {
  ContentBlockParam,
  MessageCreateParamsNonStreaming,
  MessageParam,
  ToolUnion,
} from '@anthropic-ai/sdk/resources/messages';
import { textOf } from '../http/read-json.js';
import type { LlmRequest, ToolName, ToolUse } from '../llm-provider.js';
import { fitsOutputFormat } from './format-schema.js';

export type AnthropicBody = MessageCreateParamsNonStreaming;

/** The tools that Anthropic has. Later versions of its search run code to filter what they find, which is charged apart. */
const TOOLS: Partial<Record<ToolName, (turn: ToolTurn) => ToolUnion[]>> = {
  web_search: (turn) => {
    const max_uses = searchesLeft(turn);
    return max_uses > 0 ? [{ type: 'web_search_20250305', name: 'web_search', max_uses }] : [];
  },
  code_interpreter: () => [{ type: 'code_execution_20250825', name: 'code_execution' }],
};

export const ANTHROPIC_TOOLS = Object.keys(TOOLS) as ToolName[];

/** A request with tools, as far as their bounds go by it. */
export type ToolTurn = Pick<LlmRequest, 'continuation'> & { tools: ToolUse };

/**
 * Most searches that a request may still make, as the API counts them for each request of a turn anew. One that a paused turn
 * left open is made by the request that goes on with it, which must allow it.
 */
export function searchesLeft({ tools, continuation }: ToolTurn): number {
  const blocks = continuation?.content ?? [];
  const begun = blocks.filter((block) => textOf(block, 'name') === 'web_search').length;
  const found = blocks.filter((block) => textOf(block, 'type') === 'web_search_tool_result').length;
  return Math.max(0, tools.maxUses - begun, begun - found);
}

/** Whether a base URL is Anthropic's own. */
export function isAnthropicUrl(baseUrl: string): boolean {
  return URL.canParse(baseUrl) && /(^|\.)anthropic\.com$/.test(new URL(baseUrl).hostname);
}

/**
 * The body of a Messages request. The service tier is sent, so that the price does not depend on the account's
 * settings; temperature and its like are not, because the API refuses them. With tools no output format is asked: sources are
 * told inside the text, which the API does not allow in a format that is fixed.
 */
export function anthropicBody(request: LlmRequest): AnthropicBody {
  const { model, system, maxTokens, responseSchema, tools, continuation } = request;
  const format =
    !tools && responseSchema && fitsOutputFormat(responseSchema.schema) ? responseSchema.schema : undefined;
  return {
    model,
    max_tokens: maxTokens,
    ...(system ? { system } : {}),
    messages: messagesOf(request),
    ...(format ? { output_config: { format: { type: 'json_schema', schema: format } } } : {}),
    ...toolsOf(request),
    ...(continuation?.container ? { container: continuation.container } : {}),
    service_tier: 'standard_only',
  };
}

function toolsOf({ tools, continuation }: LlmRequest): Pick<AnthropicBody, 'tools'> {
  const offered = tools?.names.flatMap((name) => TOOLS[name]?.({ tools, continuation }) ?? []) ?? [];
  return offered.length > 0 ? { tools: offered } : {};
}

/** A paused turn is sent back as it came, as what the assistant said last; its code goes on in the same container. */
function messagesOf({ messages, continuation }: LlmRequest): MessageParam[] {
  const said = messages.map(({ role, content }): MessageParam => ({ role, content }));
  if (!continuation) return said;
  return [...said, { role: 'assistant', content: continuation.content as unknown as ContentBlockParam[] }];
}
