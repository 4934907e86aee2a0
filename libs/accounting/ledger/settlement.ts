import type { CallId } from '../budgets/hold-requests.js';

/** Tokens and tool uses of a call in buckets that do not overlap. */
export interface SettledUsage {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  toolCalls: Record<string, number>;
}

/**
 * How a call ended, for the ledger: `settled` at its true cost, `released` because it provably never left or was not
 * billed, or `unconfirmed` because nobody knows; an unconfirmed call counts in full until an admin releases it.
 */
export interface CallSettlement {
  call: CallId;
  state: 'settled' | 'released' | 'unconfirmed';
  /** Nano-USD; undefined where no price is known (then no limit applied either). */
  costNano?: bigint;
  usage?: SettledUsage;
  durationMs: number;
  /** What it came to: `answered`, or the code of the error. */
  outcome: string;
}

/** A settlement as the database function `ai_settle_calls` takes it. */
export function settlementRow({ call, state, costNano, usage, durationMs, outcome }: CallSettlement): object {
  return {
    job_id: call.jobId,
    attempt: call.attempt,
    n: call.n,
    state,
    cost: costNano?.toString(),
    input: usage?.input,
    cache_read: usage?.cacheRead,
    cache_write_5m: usage?.cacheWrite5m,
    cache_write_1h: usage?.cacheWrite1h,
    output: usage?.output,
    tool_calls: usage && Object.keys(usage.toolCalls).length > 0 ? usage.toolCalls : undefined,
    duration_ms: Math.round(durationMs),
    outcome,
  };
}
