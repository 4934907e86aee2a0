/** What one storm is made of. All of it follows from the seed and these numbers. */
export interface StormOptions {
  /** Decides the order of the faults, the edits, and what the provider answers. */
  seed: number;
  /** Jobs to be made, about. */
  jobs: number;
  /** Jobs that each of the two workers works on at once. */
  slots: number;
  /** Milliseconds that the provider takes for an answer. */
  latencyMs: number;
  /** Milliseconds that Redis is away. */
  redisAwayMs: number;
  /** Ends the storm early: what it started is stopped, and it throws. */
  signal?: AbortSignal;
  /** Told in a line each what happens. */
  log?: (line: string) => void;
}

/** Leases and waits that are short enough for a test, and long enough for a machine under load. */
export function environmentOf({ slots }: StormOptions): Record<string, string> {
  return {
    AI_LEASE_MS: '4000',
    AI_SWEEP_INTERVAL_MS: '200',
    AI_MAX_RETRIES: '20',
    AI_RETRY_BASE_MS: '20',
    AI_PROVIDER_TIMEOUT_MS: '3000',
    AI_WORKER_CONCURRENCY: String(slots),
    AI_TENANT_WINDOW: String(slots * 2),
  };
}
