import type { TokenUsage, ToolName } from '#libs/llm';

/** An answer in the very shape a provider sends, and what it costs, worked out by hand. */
export interface GoldenCall {
  what: string;
  provider: 'openai' | 'anthropic';
  model: string;
  /** When the call is made, ISO 8601; default: when the prices were read. */
  at?: string;
  tools?: ToolName[];
  /** The body of the answer. */
  body: object;
  /** What is left of {@link NO_USAGE} is none. */
  usage: Partial<TokenUsage>;
  /** Nano-USD; undefined where it used something without a known price. */
  nano: bigint | undefined;
}

export const NO_USAGE: TokenUsage = {
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  toolCalls: {},
};
