import { FieldsmithError } from '#libs/common';
import { LlmError } from '#libs/llm';

const MAX_DELAY_MS = 300_000;
/** A rate limit that does not say how long. */
const DEFAULT_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 3_600_000;
const LOOK_AGAIN_MS = 60_000;
/** A job that waits for other holds looks again by itself this often; a settling wakes it earlier. */
const BUDGET_WAIT_MS = 1_000;

/** Only other calls' holds stand in the way: the job waits for the next settling and uses no retry. */
export class BudgetWait extends FieldsmithError {
  constructor() {
    super('budget_wait', 'Waiting for calls in flight to be settled.', { status: 503 });
  }
}

/** The provider's key rests: the job waits and uses no retry. */
export class KeyPaused extends FieldsmithError {
  constructor(
    readonly pauseMs: number,
    provider: string,
  ) {
    super('provider_rate_limit', `${provider} asked for a pause of this key.`, { status: 503 });
  }
}

/** Storing failed after a paid call: the answer is kept, and the next attempt uses it. */
export class StoreFailed extends FieldsmithError {
  constructor(cause: unknown) {
    super(
      'store_failed',
      'The value could not be stored; the answer is kept and stored at the next attempt.',
      { cause },
    );
  }
}

export type RetryDecision =
  | { kind: 'retry'; delayMs: number }
  | { kind: 'wait'; reason: 'budget' | 'rate_limit'; delayMs: number }
  | { kind: 'fail' };

export interface RetryState {
  retryCount: number;
  maxRetries: number;
  baseMs: number;
  /** A number from 0 up to 1: where in the jitter's range the delay falls. */
  random: number;
}

/**
 * Milliseconds before the retry with this count of retries behind it.
 *
 * @example retryDelay({ retryCount: 2, baseMs: 5000, random: 0.5 }) // 20000
 */
export function retryDelay({ retryCount, baseMs, random }: Omit<RetryState, 'maxRetries'>): number {
  return Math.min(MAX_DELAY_MS, Math.round(baseMs * 2 ** Math.min(retryCount, 30) * (0.5 + random)));
}

/** What becomes of a job whose attempt failed; decided once, from the kind of the error. */
export function decideRetry(error: unknown, state: RetryState): RetryDecision {
  if (error instanceof BudgetWait) return { kind: 'wait', reason: 'budget', delayMs: BUDGET_WAIT_MS };
  if (error instanceof KeyPaused) return rateLimited(error.pauseMs);
  if (error instanceof LlmError && error.kind === 'rate_limit') {
    return rateLimited(pauseOf(error));
  }
  if (!isRetryable(error) || state.retryCount >= state.maxRetries) return { kind: 'fail' };
  return { kind: 'retry', delayMs: retryDelay(state) };
}

/** The key rests as long as it was asked to; the job looks again every minute, because another key may have come. */
function rateLimited(pauseMs: number): RetryDecision {
  return { kind: 'wait', reason: 'rate_limit', delayMs: Math.min(pauseMs, LOOK_AGAIN_MS) };
}

/** Milliseconds that a provider asked to be left alone, at most an hour. */
export function pauseOf(error: LlmError): number {
  return Math.min(MAX_PAUSE_MS, error.retryAfterMs ?? DEFAULT_PAUSE_MS);
}

/** Errors of ours say by their kind; anything unknown is tried again, because it may pass. */
function isRetryable(error: unknown): boolean {
  if (error instanceof LlmError) return error.retryable;
  if (error instanceof StoreFailed) return true;
  return !(error instanceof FieldsmithError);
}
