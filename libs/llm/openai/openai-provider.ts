import { classifyFailure, requestIdOf, type FailedCall } from '../http/classify-failure.js';
import { openDeadline } from '../http/deadline.js';
import { LlmError } from '../llm-error.js';
import type { LlmAnswer, LlmCredentials, LlmProvider, LlmRequest } from '../llm-provider.js';
import { redact } from '../http/redact.js';
import { inputTokenBound } from '../token-bound.js';
import { readOpenAiAnswer, type UnusableAnswer } from './openai-answer.js';
import { OpenAiClients } from './openai-clients.js';
import { openAiWarnings } from './openai-models.js';
import { isOpenAiUrl, openAiBody } from './openai-request.js';

export interface OpenAiProviderOptions {
  name: string;
  /** The provider's name for people. */
  label: string;
  /** Where to call when the credentials name no base URL; without it they must. */
  ownBaseUrl?: string;
}

/** What is sent, where to, and what must not show up in a message about it. */
interface Exchange {
  path: '/chat/completions' | '/models';
  body?: object;
  call: Omit<FailedCall, 'endedBy'>;
  signal?: AbortSignal;
}

const TEST_TIMEOUT_MS = 10_000;

/** OpenAI, and servers that speak its Chat Completions API, through the official client. */
export class OpenAiProvider implements LlmProvider {
  readonly name: string;
  private readonly clients = new OpenAiClients();

  constructor(private readonly options: OpenAiProviderOptions) {
    this.name = options.name;
  }

  async call(request: LlmRequest, credentials: LlmCredentials): Promise<LlmAnswer> {
    const startedAt = performance.now();
    const baseUrl = this.checkedBaseUrl(credentials);
    const call = this.describe(request, credentials.apiKey, baseUrl);
    const body = openAiBody(request, isOpenAiUrl(baseUrl));
    const exchange = { path: '/chat/completions', body, call, signal: request.signal } as const;
    const { text, requestId } = await this.send(exchange, baseUrl);
    const answer = readOpenAiAnswer(text, request.model);
    if ('problem' in answer) throw badAnswer(answer, call, requestId);
    return { ...answer, requestId, durationMs: Math.round(performance.now() - startedAt) };
  }

  inputTokenBound(request: LlmRequest): number {
    // The body for OpenAI itself is the longer one.
    const body = openAiBody(request, true);
    return inputTokenBound(body, body.messages.length, request.responseSchema !== undefined);
  }

  async testConnection(credentials: LlmCredentials): Promise<void> {
    const baseUrl = this.checkedBaseUrl(credentials);
    const call = this.describe({ timeoutMs: TEST_TIMEOUT_MS, messages: [] }, credentials.apiKey, baseUrl);
    const { text, requestId } = await this.send({ path: '/models', call }, baseUrl);
    if (!isModelList(text)) throw badAnswer({ problem: 'that is not a list of models' }, call, requestId);
  }

  warnings(config: { model: string; temperature?: number }): string[] {
    return openAiWarnings(config);
  }

  private describe(
    request: Pick<LlmRequest, 'timeoutMs' | 'messages'> & Partial<LlmRequest>,
    apiKey: string,
    baseUrl: string,
  ): Exchange['call'] {
    const label = isOpenAiUrl(baseUrl)
      ? this.options.label
      : `${this.options.label} (${new URL(baseUrl).host})`;
    const { model, timeoutMs, system, messages } = request;
    const sent = [...(system ? [system] : []), ...messages.map(({ content }) => content)];
    return { provider: this.name, label, model, timeoutMs, apiKey, sent };
  }

  private async send({ path, body, call, signal }: Exchange, baseUrl: string) {
    if (signal?.aborted) {
      throw new LlmError('connection', `The call to ${call.label} was stopped before it was sent.`, {
        billing: 'none',
      });
    }
    const deadline = openDeadline(call.timeoutMs, signal);
    try {
      const client = this.clients.get(baseUrl, call.apiKey);
      const options = { body, signal: deadline.signal };
      const response = await (body ? client.post(path, options) : client.get(path, options)).asResponse();
      return { text: await response.text(), requestId: requestIdOf(response.headers) };
    } catch (error) {
      throw classifyFailure(error, { ...call, endedBy: deadline.endedBy });
    } finally {
      deadline.close();
    }
  }

  /** Refuses what could not be sent, before the SDK does so in a text that quotes the key. */
  private checkedBaseUrl({ apiKey, baseUrl = this.options.ownBaseUrl }: LlmCredentials): string {
    if (!/^[\x21-\x7e]+$/.test(apiKey)) {
      const message = `The API key for the provider ${this.name} is empty or has characters that no key has: store it again.`;
      throw new LlmError('authentication', message, { billing: 'none' });
    }
    if (baseUrl === undefined || !URL.canParse(baseUrl)) {
      const message = `The provider ${this.name} needs a base_url, such as https://llm.example.com/v1: store it with its key.`;
      throw new LlmError('invalid_request', message, { billing: 'none' });
    }
    return baseUrl;
  }
}

function badAnswer(answer: UnusableAnswer, call: Exchange['call'], requestId: string | undefined): LlmError {
  const quote = answer.said ? ` It says: ${redact(answer.said, call)}` : '';
  const message = `${call.label} gave an answer ${answer.problem}: check that base_url is that of an OpenAI-compatible API.${quote}`;
  return new LlmError('bad_answer', message, { billing: 'unknown', requestId, usage: answer.usage });
}

function isModelList(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text);
    return typeof list === 'object' && list !== null && 'data' in list && Array.isArray(list.data);
  } catch {
    return false;
  }
}
