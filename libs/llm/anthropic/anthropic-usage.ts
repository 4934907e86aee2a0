import { isCount, member } from '../http/read-json.js';
import type { TokenUsage, ToolName } from '../llm-provider.js';

/**
 * Reads Anthropic's `usage`, whose counts exclude each other as they come: `input_tokens` are those neither read from
 * the cache nor written to it. Written tokens are told by lifetime; without that they are of the default one, 5 minutes.
 *
 * @param codeRuns uses of the code tool, which `server_tool_use` does not tell.
 * @returns undefined where a figure is missing or cannot be true.
 */
export function anthropicUsage(usage: unknown, codeRuns: number): TokenUsage | undefined {
  const input = member(usage, 'input_tokens');
  const output = member(usage, 'output_tokens');
  const cacheRead = member(usage, 'cache_read_input_tokens') ?? 0;
  const written = writtenTokens(usage);
  const searches = member(member(usage, 'server_tool_use'), 'web_search_requests') ?? 0;
  if (!isCount(input) || !isCount(output) || !isCount(cacheRead) || !isCount(searches) || !written) {
    return undefined;
  }
  if (input + cacheRead + written.cacheWrite5m + written.cacheWrite1h === 0) return undefined;
  return { input, cacheRead, ...written, output, toolCalls: toolCounts(searches, codeRuns) };
}

function writtenTokens(usage: unknown): Pick<TokenUsage, 'cacheWrite5m' | 'cacheWrite1h'> | undefined {
  const total = member(usage, 'cache_creation_input_tokens') ?? 0;
  const lifetimes = member(usage, 'cache_creation') ?? undefined;
  if (!isCount(total)) return undefined;
  if (lifetimes === undefined) return { cacheWrite5m: total, cacheWrite1h: 0 };
  const cacheWrite5m = member(lifetimes, 'ephemeral_5m_input_tokens') ?? 0;
  const cacheWrite1h = member(lifetimes, 'ephemeral_1h_input_tokens') ?? 0;
  if (!isCount(cacheWrite5m) || !isCount(cacheWrite1h) || cacheWrite5m + cacheWrite1h !== total) {
    return undefined;
  }
  return { cacheWrite5m, cacheWrite1h };
}

function toolCounts(searches: number, codeRuns: number): Partial<Record<ToolName, number>> {
  return {
    ...(searches > 0 ? { web_search: searches } : {}),
    ...(codeRuns > 0 ? { code_interpreter: codeRuns } : {}),
  };
}
