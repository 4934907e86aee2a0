import type { ResponseCreateParamsNonStreaming, Tool } from 'openai/resources/responses/responses';
import type { LlmRequest, ToolName, ToolUse } from '../llm-provider.js';
import { isReasoningModel } from './openai-models.js';
import { schemaFormat } from './openai-request.js';

/** The client's type of this version leaves out the bound on tools, which the API takes and its type for web sockets has. */
export type ResponsesBody = ResponseCreateParamsNonStreaming & { max_tool_calls: number };
export type ToolRequest = LlmRequest & { tools: ToolUse };

/** Responses takes no smaller bound. */
export const LEAST_OUTPUT_TOKENS = 16;

const TOOLS: Record<ToolName, (use: ToolUse) => Tool> = {
  web_search: () => ({ type: 'web_search' }),
  code_interpreter: () => ({ type: 'code_interpreter', container: { type: 'auto' } }),
  image_generation: () => ({ type: 'image_generation' }),
  file_search: ({ vectorStoreIds = [] }) => ({ type: 'file_search', vector_store_ids: vectorStoreIds }),
};

/** The body of a Responses request, which is made where tools are on; nothing of it is kept at OpenAI. */
export function responsesBody(request: ToolRequest): ResponsesBody {
  const { model, system, messages, maxTokens, temperature, responseSchema, tools } = request;
  return {
    model,
    ...(system ? { instructions: system } : {}),
    input: messages.map(({ role, content }) => ({ role, content })),
    max_output_tokens: Math.max(maxTokens, LEAST_OUTPUT_TOKENS),
    ...(temperature !== undefined && !isReasoningModel(model) ? { temperature } : {}),
    ...(responseSchema ? { text: { format: { type: 'json_schema', ...schemaFormat(responseSchema) } } } : {}),
    tools: tools.names.map((name) => TOOLS[name](tools)),
    max_tool_calls: tools.maxUses,
    service_tier: 'default',
    store: false,
  };
}
