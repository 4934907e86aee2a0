/** What the processing module is given by the host. */
export interface ProcessingOptions {
  /** Whether this process works on jobs; the others only make them. */
  worker: boolean;
  /**
   * The Redis that brings jobs to the worker processes; unset: jobs stay within this process. Processes that share a
   * database share the Redis and the prefix of its keys, `{bull}` by default.
   */
  redis?: { url: string; prefix?: string };
  /** Jobs that one process works on at once. */
  concurrency: number;
  /** Jobs of one tenant in flight at once, in each lane, over all processes. */
  tenantWindow: number;
  /** Milliseconds a worker may be silent before its job, or one that it was handed, goes to another. */
  leaseMs: number;
  /** Milliseconds after which a hold that no attempt stands behind is given up as unconfirmed; longer than any call. */
  orphanedHoldMs: number;
  /** Milliseconds between looks for what a dead process left. */
  sweepIntervalMs: number;
  maxRetries: number;
  /** Milliseconds of the first wait before a retry; doubled each time, at most five minutes. */
  retryBaseMs: number;
  /** Whole months before this one that the ledger keeps call by call; default: all. Daily sums are kept for good. */
  ledgerRetentionMonths?: number;
  /** Milliseconds that a shutdown waits for calls in flight. */
  drainMs: number;
}

/** Nest token of the {@link ProcessingOptions}. */
export const PROCESSING_OPTIONS = Symbol('PROCESSING_OPTIONS');
