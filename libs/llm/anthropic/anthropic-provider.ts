import { Anthropic } from '@anthropic-ai/sdk';
import { ProviderLine } from '../http/provider-line.js';
import { SDK_OPTIONS, type ClientOptions } from '../http/sdk-clients.js';
import type {
  LlmAnswer,
  LlmCredentials,
  LlmProvider,
  LlmRequest,
  ToolBounds,
  WarnedConfig,
} from '../llm-provider.js';
import { inputTokenBound } from '../token-bound.js';
import { readAnthropicAnswer } from './anthropic-answer.js';
import {
  ANTHROPIC_TOOLS,
  anthropicBody,
  isAnthropicUrl,
  searchesLeft,
  type ToolTurn,
} from './anthropic-request.js';

/** Runs of the model in one request, after which the API pauses the turn: all that bounds a tool without `max_uses`. */
const MOST_RUNS = 10;

/** Anthropic, and gateways that speak its Messages API, through the official client. */
export class AnthropicProvider implements LlmProvider {
  readonly name = 'anthropic';
  readonly tools = ANTHROPIC_TOOLS;
  private readonly line = new ProviderLine({
    name: 'anthropic',
    label: 'Anthropic',
    ownBaseUrl: 'https://api.anthropic.com',
    api: "Anthropic's Messages",
    isOwn: isAnthropicUrl,
    createClient,
  });

  async call(request: LlmRequest, credentials: LlmCredentials): Promise<LlmAnswer> {
    const startedAt = performance.now();
    const destination = this.line.to(credentials, request);
    const { signal, model, continuation } = request;
    const body = anthropicBody(request);
    const { text, requestId } = await this.line.send(destination, '/v1/messages', { body, signal });
    const answer = readAnthropicAnswer(text, model, continuation);
    if ('problem' in answer) throw this.line.badAnswer(destination, answer, requestId);
    return { ...answer, requestId, durationMs: Math.round(performance.now() - startedAt) };
  }

  inputTokenBound(request: LlmRequest): number {
    const body = anthropicBody(request);
    return inputTokenBound(body, body.messages.length, request.responseSchema !== undefined);
  }

  /** Only the search has a cap of its own. `max_tokens` is taken to bound each run of the model, the worst it can mean. */
  toolBounds(turn: ToolTurn): ToolBounds {
    const searches = searchesLeft(turn);
    const of = turn.tools.names.map((name): [string, number] => [
      name,
      name === 'web_search' ? searches : MOST_RUNS,
    ]);
    // What a paused turn has found is sent enciphered, and may be longer than it looks: never less than with one use.
    const uses = Math.max(
      1,
      of.reduce((sum, [, cap]) => sum + cap, 0),
    );
    return { caps: Object.fromEntries(of), uses, outputs: uses + 1 };
  }

  /** The API refuses sampling parameters, so none is sent. */
  asSent(request: LlmRequest): LlmRequest {
    return { ...request, temperature: undefined };
  }

  testConnection(credentials: LlmCredentials): Promise<void> {
    return this.line.test(credentials, '/v1/models');
  }

  warnings({ model, temperature }: WarnedConfig): string[] {
    if (temperature === undefined) return [];
    return [`${model} takes no temperature: the temperature of ${temperature} is not sent.`];
  }
}

/** Names every option that the SDK would otherwise take from the environment. */
function createClient({ baseUrl, apiKey, fetch }: ClientOptions): Anthropic {
  return new Anthropic({
    ...SDK_OPTIONS,
    fetch,
    apiKey,
    // The client adds the version to the path; addresses given as OpenAI's are, with it, mean the same.
    baseURL: baseUrl.replace(/\/v1\/?$/, ''),
    authToken: null,
    webhookKey: null,
    openTelemetry: false,
  });
}
