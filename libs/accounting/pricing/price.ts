/** Prices of one token of each kind in nano-USD; null where none is published. */
export interface TokenPrices {
  input: bigint | null;
  cacheRead: bigint | null;
  cacheWrite5m: bigint | null;
  cacheWrite1h: bigint | null;
  /** Reasoning included. */
  output: bigint | null;
}

/** Prices that apply to the whole request once its input tokens, cached ones included, exceed a threshold. */
export interface LongContextPrices extends TokenPrices {
  aboveInputTokens: number;
}

/** What a model costs from one date to another. */
export interface Price extends TokenPrices {
  /** Names the price in the ledger, such as `openai/gpt-4o-mini@2026-01-01`; a tenant's own begins with `tenant:`. */
  id: string;
  provider: string;
  model: string;
  /** Other model ids with this price, such as dated snapshots; matched exactly, like `model`. */
  aliases?: readonly string[];
  effectiveFrom: Date;
  /** The first moment at which the price no longer applies; open if left out. */
  effectiveTo?: Date;
  /** Tokens. */
  contextWindow: number;
  longContext?: LongContextPrices;
  /** Nano-USD for one call of a provider's tool, by name: `web_search`, `file_search`. A tool not listed has no known price. */
  tools: Record<string, bigint>;
  /** Where the figures come from. */
  source?: string;
}

/** What one call used, in buckets that do not overlap. Counts of tokens, and of calls by tool. */
export interface TokenUsageLike {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  toolCalls: Readonly<Record<string, number>>;
}
