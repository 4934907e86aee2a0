import type { Json } from '#libs/common';

export interface LlmMessage {
  role: 'user' | 'assistant';
  content: string;
}

/** One request to a provider, in no provider's wire format. */
export interface LlmRequest {
  model: string;
  /** The system message. */
  system?: string;
  messages: LlmMessage[];
  /** Most output tokens, reasoning included; always sent, because it bounds the cost. */
  maxTokens: number;
  temperature?: number;
  /** The answer is to be JSON that fits this JSON Schema. */
  responseSchema?: ResponseSchema;
  /** Milliseconds from sending until the whole answer has been read. */
  timeoutMs: number;
  /** Ends the call early, for instance at shutdown. What it cost is then unknown. */
  signal?: AbortSignal;
}

export interface ResponseSchema {
  name: string;
  schema: Record<string, Json>;
}

/**
 * Tokens of one call in buckets that do not overlap: their sum is everything that is charged by the token.
 * `output` includes reasoning. `toolCalls` counts the uses of each tool the provider charges by the call.
 */
export interface TokenUsage {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  toolCalls: Record<string, number>;
}

export interface LlmAnswer {
  text: string;
  /** `length`: cut at {@link LlmRequest.maxTokens}. `refusal`: the provider or the model declined, and charged for it. */
  stopReason: 'stop' | 'length' | 'refusal' | 'other';
  /** Undefined where the provider reported none, or figures that cannot be true. Never taken for zero. */
  usage: TokenUsage | undefined;
  /** The model that answered, as the provider names it. */
  model: string;
  /** The provider's own id of the call, for its support. */
  requestId?: string;
  durationMs: number;
}

export interface LlmCredentials {
  apiKey: string;
  /** Where to send calls instead of the provider's own address. Checked with `checkBaseUrl` when it is stored. */
  baseUrl?: string;
}

/**
 * A provider of language models. An implementation makes exactly one HTTP request per {@link call}: retrying is
 * decided elsewhere, because every request has a hold of its own.
 *
 * @example
 * const answer = await provider.call(
 *   { model: 'gpt-4.1-mini', messages: [{ role: 'user', content: 'Hello' }], maxTokens: 50, timeoutMs: 30_000 },
 *   { apiKey },
 * );
 */
export interface LlmProvider {
  /** The name used in configurations, keys, prices and the ledger, such as `openai`. */
  readonly name: string;
  /** @throws LlmError and nothing else, save a RangeError for a `timeoutMs` that is not a positive number. */
  call(request: LlmRequest, credentials: LlmCredentials): Promise<LlmAnswer>;
  /** An upper bound on input tokens: the bytes of everything that would be sent, plus framing. */
  inputTokenBound(request: LlmRequest): number;
  /**
   * Finds out, free of charge, whether the credentials work.
   *
   * @throws LlmError that says what is wrong with them.
   */
  testConnection(credentials: LlmCredentials): Promise<void>;
  /** What this provider would ignore or refuse in a configuration, one message each for the admin. */
  warnings(config: { model: string; temperature?: number }): string[];
}
