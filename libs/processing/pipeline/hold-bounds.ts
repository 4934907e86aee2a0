import type { HoldBounds } from '#libs/accounting';
import type { LlmProvider, LlmRequest } from '#libs/llm';

/** The most that a request can make a provider charge for. */
export function holdBoundsOf(provider: LlmProvider, request: LlmRequest): HoldBounds {
  const { tools, maxTokens } = request;
  const inputTokenBound = provider.inputTokenBound(request);
  const bounds = tools && provider.toolBounds?.({ ...request, tools });
  if (!bounds) return { inputTokenBound, maxTokens };
  const { caps, uses, outputs } = bounds;
  return { inputTokenBound, maxTokens: maxTokens * outputs, toolCaps: caps, toolUses: uses };
}
