import fc from 'fast-check';
import { FieldsmithError } from '#libs/common';
import { LlmError } from '#libs/llm';
import {
  BudgetWait,
  decideRetry,
  KeyBusy,
  KeyFailing,
  KeyPaused,
  PASSING_ERRORS,
  pauseOf,
  retryDelay,
  StoreFailed,
} from './retry-policy.js';

const fresh = { retryCount: 0, maxRetries: 3, baseMs: 5000, random: 0.5 };

function providerError(kind: 'rate_limit' | 'server' | 'authentication', retryAfterMs?: number): LlmError {
  return new LlmError(kind, 'provider said no', { billing: 'none', retryAfterMs });
}

describe('decideRetry', () => {
  it('retries what may pass, with twice the wait each time', () => {
    expect(decideRetry(providerError('server'), fresh)).toEqual({ kind: 'retry', delayMs: 5000 });
    expect(decideRetry(providerError('server'), { ...fresh, retryCount: 2 })).toEqual({
      kind: 'retry',
      delayMs: 20_000,
    });
    expect(decideRetry(new StoreFailed(new Error('disk full')), fresh).kind).toBe('retry');
    expect(decideRetry(new TypeError('unknown'), fresh).kind).toBe('retry');
  });

  it('retries not before the provider wants to be asked again, which may be an hour', () => {
    expect(decideRetry(providerError('server', 7000), fresh)).toEqual({ kind: 'retry', delayMs: 7000 });
    expect(decideRetry(providerError('server', 1000), fresh)).toEqual({ kind: 'retry', delayMs: 5000 });
    expect(decideRetry(providerError('server', 1e9), fresh)).toMatchObject({ delayMs: 3_600_000 });
  });

  it('gives up after the last retry', () => {
    expect(decideRetry(providerError('server'), { ...fresh, retryCount: 3 })).toEqual({ kind: 'fail' });
  });

  it('does not retry what will not pass', () => {
    expect(decideRetry(providerError('authentication'), fresh)).toEqual({ kind: 'fail' });
    expect(decideRetry(new FieldsmithError('budget_exceeded', 'no room'), fresh)).toEqual({ kind: 'fail' });
  });

  it('waits without using a retry, even after the last one', () => {
    const spent = { ...fresh, retryCount: 3 };
    expect(decideRetry(providerError('rate_limit', 2000), { ...spent, key: 'openai:t' })).toEqual({
      kind: 'wait',
      reason: 'rate_limit',
      key: 'openai:t',
      delayMs: 2000,
      stepMs: 60_000,
    });
    expect(decideRetry(providerError('rate_limit', 1e9), spent)).toMatchObject({ delayMs: 60_000 });
    expect(pauseOf(providerError('rate_limit', 1e9))).toBe(3_600_000);
    const paused = new KeyPaused('openai:*', 70, 'openai');
    expect(decideRetry(paused, spent)).toMatchObject({ kind: 'wait', key: 'openai:*', delayMs: 70 });
    expect(decideRetry(new KeyBusy('openai:*', 'openai'), spent)).toEqual({
      kind: 'wait',
      reason: 'key_busy',
      key: 'openai:*',
      delayMs: 5000,
      stepMs: 5000,
    });
    const failing = new KeyFailing('openai:*', 'openai', { inMs: 300, everyMs: 5000 }, 'it is refused.');
    expect(decideRetry(failing, spent)).toMatchObject({ reason: 'breaker', delayMs: 300, stepMs: 5000 });
    expect(decideRetry(new BudgetWait(), spent)).toMatchObject({ kind: 'wait', reason: 'budget' });
  });
});

describe('retryDelay', () => {
  it('stays between half and one and a half of the doubled base, and below five minutes', () => {
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (n, baseMs, random) => {
          const delay = retryDelay({ retryCount: n, baseMs, random });
          expect(delay).toBeLessThanOrEqual(300_000);
          expect(delay).toBeGreaterThanOrEqual(
            Math.min(300_000, Math.floor(baseMs * 2 ** Math.min(n, 30) * 0.5)),
          );
        },
      ),
    );
  });
});

describe('PASSING_ERRORS', () => {
  it('are those that a job is retried for, and the death of its worker', () => {
    const kinds = ['timeout', 'connection', 'server', 'bad_answer', 'rate_limit', 'authentication'] as const;
    const retried = kinds.filter((kind) => {
      const error = new LlmError(kind, 'no', { billing: 'none' });
      return decideRetry(error, fresh).kind === 'retry';
    });
    expect(PASSING_ERRORS).toEqual([
      ...retried.map((kind) => `provider_${kind}`),
      'worker_lost',
      new StoreFailed(new Error('disk full')).code,
    ]);
  });
});
