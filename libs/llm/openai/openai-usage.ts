import { isCount, member } from '../http/read-json.js';
import type { TokenUsage, ToolName } from '../llm-provider.js';

/** Uses of each tool that is charged by the use. */
export type ToolCounts = Partial<Record<ToolName, number>>;

/**
 * Turns the `usage` of Chat Completions into buckets that do not overlap. Its `prompt_tokens` include those read from
 * the cache and those written to it (charged from GPT-5.6 on, at one rate whatever their lifetime; the `5m` bucket
 * stands for it). `completion_tokens` include reasoning.
 *
 * @returns undefined where a figure is missing or cannot be true: no request has an empty prompt, and no part is
 * larger than the whole.
 */
export function openAiUsage(usage: unknown): TokenUsage | undefined {
  const details = member(usage, 'prompt_tokens_details');
  return buckets(member(usage, 'prompt_tokens'), details, member(usage, 'completion_tokens'), {});
}

/** The same for the `usage` of Responses, which tells nothing of tools: their uses are counted in the output items. */
export function responsesUsage(usage: unknown, toolCalls: ToolCounts): TokenUsage | undefined {
  const details = member(usage, 'input_tokens_details');
  return buckets(member(usage, 'input_tokens'), details, member(usage, 'output_tokens'), toolCalls);
}

function buckets(
  prompt: unknown,
  details: unknown,
  output: unknown,
  toolCalls: ToolCounts,
): TokenUsage | undefined {
  const cacheRead = member(details, 'cached_tokens') ?? 0;
  const cacheWrite = member(details, 'cache_write_tokens') ?? 0;
  if (!isCount(prompt) || !isCount(output) || !isCount(cacheRead) || !isCount(cacheWrite)) return undefined;
  const input = prompt - cacheRead - cacheWrite;
  if (prompt === 0 || input < 0) return undefined;
  return { input, cacheRead, cacheWrite5m: cacheWrite, cacheWrite1h: 0, output, toolCalls };
}
