import { LlmError } from '../llm-error.js';
import type { LlmAnswer, LlmCredentials, LlmRequest } from '../llm-provider.js';
import { classifyFailure, requestIdOf, type FailedCall } from './classify-failure.js';
import { openDeadline } from './deadline.js';
import type { ReadResponse } from './provider-fetch.js';
import { redact } from './redact.js';
import { SdkClients, type ClientOf, type ClientOptions, type SdkClient } from './sdk-clients.js';

export interface ProviderLineOptions {
  /** The provider's name in configurations. */
  name: string;
  /** The provider's name for people. */
  label: string;
  /** Where to call when the credentials name no base URL; without it they must. */
  ownBaseUrl?: string;
  /** What must answer at the base URL, in words that finish "check that base_url is that of …". */
  api: string;
  /** Whether a base URL is the provider's own: then its host is not worth a mention. */
  isOwn(baseUrl: string): boolean;
  /** Makes a client of the official SDK, with `SDK_OPTIONS`. */
  createClient(options: ClientOptions): SdkClient;
}

/** A place to call, with what must not show up in a message about it. */
export interface Destination {
  baseUrl: string;
  mayConnect: ClientOf['mayConnect'];
  call: Omit<FailedCall, 'endedBy'>;
}

/** What little is known of an answer that is of no use. */
export interface UnusableAnswer {
  /** The answer lacks this, in words that finish "an answer …". */
  problem: string;
  usage?: LlmAnswer['usage'];
  /** What a gateway says that reports a failure of the provider behind it with a success status. */
  said?: string;
}

/** Milliseconds that a test of the connection may take. */
const TEST_TIMEOUT_MS = 10_000;

/** The way to one provider through its official client, the same for all: one request, one deadline, one kind of error. */
export class ProviderLine {
  private readonly clients: SdkClients;

  constructor(private readonly options: ProviderLineOptions) {
    this.clients = new SdkClients((of) => options.createClient(of));
  }

  /** @throws LlmError for credentials that could not be sent, in words that do not quote them. */
  to(credentials: LlmCredentials, request?: LlmRequest): Destination {
    const baseUrl = this.checkedBaseUrl(credentials);
    const sent = request ? sentTexts(request) : [];
    const timeoutMs = request?.timeoutMs ?? TEST_TIMEOUT_MS;
    const call = {
      provider: this.options.name,
      label: this.labelOf(baseUrl, credentials),
      model: request?.model,
      timeoutMs,
      apiKey: credentials.apiKey,
      sent,
    };
    return { baseUrl, mayConnect: credentials.mayConnect, call };
  }

  /** Makes one request: a POST where there is a body. @throws LlmError and nothing else. */
  async send(
    { baseUrl, mayConnect, call }: Destination,
    path: string,
    { body, signal }: { body?: object; signal?: AbortSignal } = {},
  ): Promise<{ text: string; requestId: string | undefined }> {
    if (signal?.aborted) {
      throw new LlmError('connection', `The call to ${call.label} was stopped before it was sent.`, {
        billing: 'none',
      });
    }
    const deadline = openDeadline(call.timeoutMs, signal);
    try {
      const client = this.clients.get({ baseUrl, apiKey: call.apiKey, mayConnect });
      const options = { body, signal: deadline.signal };
      const response = await (body ? client.post(path, options) : client.get(path, options)).asResponse();
      return { text: (response as ReadResponse).read, requestId: requestIdOf(response.headers) };
    } catch (error) {
      throw classifyFailure(error, { ...call, endedBy: deadline.endedBy });
    } finally {
      deadline.close();
    }
  }

  /** Finds out whether a list of models can be read there. @throws LlmError that says what is wrong. */
  async test(credentials: LlmCredentials, path: string): Promise<void> {
    const destination = this.to(credentials);
    const { text, requestId } = await this.send(destination, path);
    if (isModelList(text)) return;
    throw this.badAnswer(destination, { problem: 'that is not a list of models' }, requestId);
  }

  badAnswer({ call }: Destination, answer: UnusableAnswer, requestId: string | undefined): LlmError {
    const quote = answer.said ? ` It says: ${redact(answer.said, call)}` : '';
    const message = `${call.label} gave an answer ${answer.problem}: check that base_url is that of ${this.options.api}.${quote}`;
    return new LlmError('bad_answer', message, { billing: 'unknown', requestId, usage: answer.usage });
  }

  /** Names the host where a tenant gave the address: one of the operator's is not told to tenants, who read these messages. */
  private labelOf(baseUrl: string, { mayConnect }: LlmCredentials): string {
    const { label, isOwn } = this.options;
    const isOperators = mayConnect === undefined;
    return isOperators || isOwn(baseUrl) ? label : `${label} (${new URL(baseUrl).host})`;
  }

  /** Refuses what could not be sent, before the SDK does so in a text that quotes the key. */
  private checkedBaseUrl({ apiKey, baseUrl = this.options.ownBaseUrl }: LlmCredentials): string {
    const { name } = this.options;
    if (!/^[\x21-\x7e]+$/.test(apiKey)) {
      const message = `The API key for the provider ${name} is empty or has characters that no key has: store it again.`;
      throw new LlmError('authentication', message, { billing: 'none' });
    }
    if (baseUrl === undefined || !URL.canParse(baseUrl)) {
      const message = `The provider ${name} needs a base_url, such as https://llm.example.com/v1: store it with its key.`;
      throw new LlmError('invalid_request', message, { billing: 'none' });
    }
    return baseUrl;
  }
}

function sentTexts({ system, messages }: LlmRequest): string[] {
  return [...(system ? [system] : []), ...messages.map(({ content }) => content)];
}

/** Both providers list models as `{data: […]}`. */
function isModelList(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text);
    return typeof list === 'object' && list !== null && 'data' in list && Array.isArray(list.data);
  } catch {
    return false;
  }
}
