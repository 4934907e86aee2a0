import { FieldsmithError } from '#libs/common';
import { LlmError, type LlmErrorKind } from '#libs/llm';

const MAX_DELAY_MS = 300_000;
/** A rate limit that does not say how long. */
const DEFAULT_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 3_600_000;
const LOOK_AGAIN_MS = 60_000;
/** A job that waits for other holds looks again by itself this often; a settling wakes it earlier. */
const BUDGET_WAIT_MS = 1_000;

/** The first of a key's line looks by itself this often; whoever gives a slot back calls it earlier. */
const KEY_WAIT_MS = 5_000;

const PASSING_KINDS = [
  'timeout',
  'connection',
  'server',
  'bad_answer',
] as const satisfies readonly LlmErrorKind[];

/** Codes of failures that may be gone by another day: whoever failed for one of these may be tried anew. */
export const PASSING_ERRORS: readonly string[] = [
  ...PASSING_KINDS.map((kind) => `provider_${kind}`),
  'worker_lost',
  'store_failed',
];

/** Only other calls' holds stand in the way: the job waits for the next settling and uses no retry. */
export class BudgetWait extends FieldsmithError {
  constructor() {
    super('budget_wait', 'Waiting for calls in flight to be settled.', { status: 503 });
  }
}

/** The provider's key rests: the job waits in line and uses no retry. */
export class KeyPaused extends FieldsmithError {
  constructor(
    readonly key: string,
    readonly pauseMs: number,
    provider: string,
  ) {
    super('provider_rate_limit', `${provider} asked for a pause of this key.`, { status: 503 });
  }
}

/** All slots of the provider's key that this tenant may have are taken: the job waits in line and uses no retry. */
export class KeyBusy extends FieldsmithError {
  constructor(
    readonly key: string,
    provider: string,
  ) {
    super('provider_key_busy', `As many calls to ${provider} are in flight as its key allows at once.`, {
      status: 503,
    });
  }
}

/** The provider's key fails, and its breaker is open: the job waits until it works again and uses no retry. */
export class KeyFailing extends FieldsmithError {
  constructor(
    readonly key: string,
    provider: string,
    /** When the key is tried next, and how often, in milliseconds. */
    readonly probe: { inMs: number; everyMs: number },
    reason: string,
  ) {
    super('provider_key_failing', `Waiting until the key for ${provider} works again: ${reason}`, {
      status: 503,
    });
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

/** Worker after worker died with the job in hand; what is left is to say so, and to store the fallback. */
export class WorkerLost extends FieldsmithError {
  constructor() {
    super('worker_lost', 'The worker stopped in the middle of the job, and so did those after it.');
  }
}

export type RetryDecision =
  | { kind: 'retry'; delayMs: number }
  | { kind: 'wait'; reason: 'budget'; delayMs: number }
  /** In the line of a key; `stepMs` is the time between two of it that are due by themselves. */
  | {
      kind: 'wait';
      reason: 'rate_limit' | 'key_busy' | 'breaker';
      key?: string;
      delayMs: number;
      stepMs: number;
    }
  | { kind: 'fail' };

export interface RetryState {
  retryCount: number;
  maxRetries: number;
  baseMs: number;
  /** A number from 0 up to 1: where in the jitter's range the delay falls. */
  random: number;
  /** The key of the call that failed. */
  key?: string;
}

/**
 * Milliseconds before the retry with this count of retries behind it.
 *
 * @example retryDelay({ retryCount: 2, baseMs: 5000, random: 0.5 }) // 20000
 */
export function retryDelay({ retryCount, baseMs, random }: Omit<RetryState, 'maxRetries' | 'key'>): number {
  return Math.min(MAX_DELAY_MS, Math.round(baseMs * 2 ** Math.min(retryCount, 30) * (0.5 + random)));
}

/** What becomes of a job whose attempt failed; decided once, from the kind of the error. */
export function decideRetry(error: unknown, state: RetryState): RetryDecision {
  if (error instanceof BudgetWait) return { kind: 'wait', reason: 'budget', delayMs: BUDGET_WAIT_MS };
  if (error instanceof KeyPaused) return rateLimited(error.pauseMs, error.key);
  if (error instanceof KeyBusy) {
    const { key } = error;
    return { kind: 'wait', reason: 'key_busy', key, delayMs: KEY_WAIT_MS, stepMs: KEY_WAIT_MS };
  }
  if (error instanceof KeyFailing) {
    const { key, probe } = error;
    return { kind: 'wait', reason: 'breaker', key, delayMs: probe.inMs, stepMs: probe.everyMs };
  }
  if (error instanceof LlmError && error.kind === 'rate_limit') {
    return rateLimited(pauseOf(error), state.key);
  }
  if (!isRetryable(error) || state.retryCount >= state.maxRetries) return { kind: 'fail' };
  return { kind: 'retry', delayMs: Math.max(retryDelay(state), askedWaitOf(error)) };
}

/** The key rests as long as it was asked to; one job of its line looks every minute, whoever ends the pause. */
function rateLimited(pauseMs: number, key: string | undefined): RetryDecision {
  const delayMs = Math.min(pauseMs, LOOK_AGAIN_MS);
  return { kind: 'wait', reason: 'rate_limit', key, delayMs, stepMs: LOOK_AGAIN_MS };
}

/** Milliseconds that a provider asked to be left alone, at most an hour. */
export function pauseOf(error: LlmError): number {
  return Math.min(MAX_PAUSE_MS, error.retryAfterMs ?? DEFAULT_PAUSE_MS);
}

/**
 * Milliseconds that a provider which is overloaded asks to wait, at most an hour. That says nothing about the key: only the
 * job that met it waits.
 */
function askedWaitOf(error: unknown): number {
  return error instanceof LlmError ? Math.min(MAX_PAUSE_MS, error.retryAfterMs ?? 0) : 0;
}

/** Errors of ours say by their kind; anything unknown is tried again, because it may pass. */
function isRetryable(error: unknown): boolean {
  if (error instanceof LlmError) return error.retryable;
  if (error instanceof StoreFailed) return true;
  return !(error instanceof FieldsmithError);
}
