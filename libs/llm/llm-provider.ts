import type { Json } from '#libs/common';
import type { ConnectPolicy } from './base-url-policy.js';

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
  /** Tools of the provider's own that the model may use. */
  tools?: ToolUse;
  /** A paused turn, as {@link LlmAnswer.continuation} gave it: the model goes on from there. */
  continuation?: Continuation;
  /** Milliseconds from sending until the whole answer has been read. */
  timeoutMs: number;
  /** Ends the call early, for instance at shutdown. What it cost is then unknown. */
  signal?: AbortSignal;
}

/** The tools there are, by the names of configurations, prices and the ledger. */
export const TOOL_NAMES = ['web_search', 'code_interpreter', 'image_generation', 'file_search'] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

/** What a turn of the model may use of the provider's own tools. */
export interface ToolUse {
  names: ToolName[];
  /** Most uses in one turn: what a {@link Continuation} has used comes off. */
  maxUses: number;
  /** Where `file_search` looks. */
  vectorStoreIds?: string[];
}

/** The most that tools can make of one call; what a hold must cover besides what is sent. */
export interface ToolBounds {
  /** Most uses of each tool. */
  caps: Partial<Record<ToolName, number>>;
  /** Most uses of all tools together: each puts what it found into the context and runs the model again. */
  uses: number;
  /** How often `maxTokens` may be given out: once, or at every run of the model. */
  outputs: number;
}

/** A source that an answer names; which members there are depends on the provider and the tool. */
export interface Citation {
  url?: string;
  title?: string;
  /** The words of the source. */
  quote?: string;
  fileId?: string;
}

/** A turn that a provider paused, in the provider's own form. */
export interface Continuation {
  /** Everything that the turn has given so far. */
  content: Json[];
  /** Where its tools work, if they have such a place. */
  container?: string;
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
  /**
   * `length`: cut at {@link LlmRequest.maxTokens}. `refusal`: the provider or the model declined, and charged for it.
   * `pause`: the turn is not finished; a further call with {@link continuation} goes on.
   */
  stopReason: 'stop' | 'length' | 'refusal' | 'pause' | 'other';
  /** Undefined where the provider reported none, or figures that cannot be true. Never taken for zero. */
  usage: TokenUsage | undefined;
  /** The sources it names, where tools found any. */
  citations?: Citation[];
  /** The paused turn, for the call that goes on with it. */
  continuation?: Continuation;
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
  /**
   * Which addresses `baseUrl` may lead to, asked at every connection; unset: any, as for addresses that the
   * operator gave, which no message names.
   */
  mayConnect?: ConnectPolicy;
}

/** The part of a configuration that a provider may have something to say about. */
export interface WarnedConfig {
  model: string;
  temperature?: number;
  tools?: readonly ToolName[];
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
  /** The tools it has; a configuration that wants another is refused. Default: none. */
  readonly tools?: readonly ToolName[];
  /** The most that the tools of a request can still be used; needed where there are {@link tools}. */
  toolBounds?(request: LlmRequest & { tools: ToolUse }): ToolBounds;
  /**
   * The request as it is really sent: without what this provider would leave out, at its own least values. Bounds,
   * fingerprint and execution go by it. Default: the request as it is.
   */
  asSent?(request: LlmRequest): LlmRequest;
  /**
   * Finds out, free of charge, whether the credentials work.
   *
   * @throws LlmError that says what is wrong with them.
   */
  testConnection(credentials: LlmCredentials): Promise<void>;
  /** What this provider would ignore or refuse in a configuration, one message each for the admin. */
  warnings(config: WarnedConfig): string[];
}
