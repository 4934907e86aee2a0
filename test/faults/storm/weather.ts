import type { ReceivedRequest, ScriptRule } from '#libs/llm-simulator';

/**
 * What the provider answers: one call in ten is refused, left hanging, cut in the middle or answered with garbage. Which
 * ones it are follows from the simulator's seed and the order in which the calls come.
 */
export const WEATHER: ScriptRule[] = [
  { probability: 0.01, action: { type: 'rate_limit', retry_after_s: 1 } },
  { probability: 0.03, action: { type: 'error', status: 500 } },
  { probability: 0.01, action: { type: 'error', status: 503 } },
  { probability: 0.01, action: { type: 'hang' } },
  { probability: 0.01, action: { type: 'hang', after_bytes: 40 } },
  { probability: 0.02, action: { type: 'cut' } },
  { probability: 0.01, action: { type: 'cut', after_bytes: 0 } },
  { probability: 0.02, action: { type: 'garbage' } },
];

/** What became of a call by the provider's own log: answered in full and billed, refused with an error status, or neither. */
export type CallFate = 'billed' | 'refused' | 'unknown';

export function fateOf({ answer }: ReceivedRequest): CallFate {
  if (!answer) return 'unknown';
  if (answer.status >= 400) return 'refused';
  return answer.usage && answer.complete ? 'billed' : 'unknown';
}
