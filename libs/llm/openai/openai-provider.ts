import { OpenAI } from 'openai';
import { ProviderLine } from '../http/provider-line.js';
import { SDK_OPTIONS, type ClientOptions } from '../http/sdk-clients.js';
import type {
  LlmAnswer,
  LlmCredentials,
  LlmProvider,
  LlmRequest,
  ToolBounds,
  ToolName,
  WarnedConfig,
} from '../llm-provider.js';
import { inputTokenBound } from '../token-bound.js';
import { readOpenAiAnswer } from './openai-answer.js';
import { isReasoningModel, openAiWarnings } from './openai-models.js';
import { isOpenAiUrl, openAiBody } from './openai-request.js';
import { readResponsesAnswer } from './responses-answer.js';
import { LEAST_OUTPUT_TOKENS, responsesBody, type ToolRequest } from './responses-request.js';

export interface OpenAiProviderOptions {
  name: string;
  /** The provider's name for people. */
  label: string;
  /** Where to call when the credentials name no base URL; without it they must. */
  ownBaseUrl?: string;
  /** The tools it has, all of them behind Responses. */
  tools?: readonly ToolName[];
}

/**
 * OpenAI, and servers that speak its Chat Completions API, through the official client. With tools the call is one of
 * the Responses API, which alone has them.
 */
export class OpenAiProvider implements LlmProvider {
  readonly name: string;
  readonly tools: readonly ToolName[];
  private readonly line: ProviderLine;

  constructor(options: OpenAiProviderOptions) {
    this.name = options.name;
    this.tools = options.tools ?? [];
    const api = 'an OpenAI-compatible API';
    this.line = new ProviderLine({ ...options, api, isOwn: isOpenAiUrl, createClient });
  }

  async call(request: LlmRequest, credentials: LlmCredentials): Promise<LlmAnswer> {
    const startedAt = performance.now();
    const destination = this.line.to(credentials, request);
    const { signal, model } = request;
    const { path, body, read } = hasTools(request)
      ? { path: '/responses', body: responsesBody(request), read: readResponsesAnswer }
      : {
          path: '/chat/completions',
          body: openAiBody(request, isOpenAiUrl(destination.baseUrl)),
          read: readOpenAiAnswer,
        };
    const { text, requestId } = await this.line.send(destination, path, { body, signal });
    const answer = read(text, model);
    if ('problem' in answer) throw this.line.badAnswer(destination, answer, requestId);
    return { ...answer, requestId, durationMs: Math.round(performance.now() - startedAt) };
  }

  inputTokenBound(request: LlmRequest): number {
    // The body of Chat Completions for OpenAI itself is the longer one.
    const body = hasTools(request) ? responsesBody(request) : openAiBody(request, true);
    return inputTokenBound(body, request.messages.length + 1, request.responseSchema !== undefined);
  }

  /** `max_tool_calls` bounds all tools together, and `max_output_tokens` the whole response. */
  toolBounds({ tools }: ToolRequest): ToolBounds {
    const caps = Object.fromEntries(tools.names.map((name) => [name, tools.maxUses]));
    return { caps, uses: tools.maxUses, outputs: 1 };
  }

  asSent(request: LlmRequest): LlmRequest {
    const { model, tools, maxTokens, temperature } = request;
    return {
      ...request,
      temperature: isReasoningModel(model) ? undefined : temperature,
      maxTokens: tools ? Math.max(maxTokens, LEAST_OUTPUT_TOKENS) : maxTokens,
    };
  }

  testConnection(credentials: LlmCredentials): Promise<void> {
    return this.line.test(credentials, '/models');
  }

  warnings(config: WarnedConfig): string[] {
    return openAiWarnings(config);
  }
}

function hasTools(request: LlmRequest): request is ToolRequest {
  return request.tools !== undefined;
}

/** Names every option that the SDK would otherwise take from the environment. */
function createClient({ baseUrl: baseURL, apiKey, fetch }: ClientOptions): OpenAI {
  return new OpenAI({
    ...SDK_OPTIONS,
    fetch,
    apiKey,
    baseURL,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
  });
}
