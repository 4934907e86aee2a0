import type { TokenUsage } from '../llm-provider.js';

/**
 * Turns OpenAI's `usage` into buckets that do not overlap. Its `prompt_tokens` include those read from the cache
 * and those written to it (charged from GPT-5.6 on, at one rate whatever their lifetime; the `5m` bucket stands
 * for it). `completion_tokens` include reasoning.
 *
 * @returns undefined where a figure is missing or cannot be true: no request has an empty prompt, and no part is
 * larger than the whole.
 */
export function openAiUsage(usage: unknown): TokenUsage | undefined {
  if (!isRecord(usage)) return undefined;
  const details = isRecord(usage.prompt_tokens_details) ? usage.prompt_tokens_details : {};
  const prompt = usage.prompt_tokens;
  const output = usage.completion_tokens;
  const cacheRead = details.cached_tokens ?? 0;
  const cacheWrite = details.cache_write_tokens ?? 0;
  if (!isCount(prompt) || !isCount(output) || !isCount(cacheRead) || !isCount(cacheWrite)) return undefined;
  const input = prompt - cacheRead - cacheWrite;
  if (prompt === 0 || input < 0) return undefined;
  return { input, cacheRead, cacheWrite5m: cacheWrite, cacheWrite1h: 0, output, toolCalls: {} };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
