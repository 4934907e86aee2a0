import { Injectable, type ExecutionContext } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerLimitDetail } from '@nestjs/throttler';
import { FieldsmithError } from '#libs/common';
import { LEAST_PER_SECOND } from '../config/read-config.js';
import type { RequestCounts } from './request-counts.js';
import { keyOfPrincipal, nameOfKey, type ThrottleName } from './throttle.options.js';

const WHO: Record<ThrottleName, string> = {
  principal: 'You send too many requests',
  tenant: 'Your tenant sends too many requests',
  address: 'Too many requests come from your address',
};

/** More requests than are let through; status 429. */
export class TooManyRequestsError extends FieldsmithError {
  constructor(
    of: ThrottleName,
    readonly retryAfterSeconds: number,
  ) {
    const message = `${WHO[of]}: send fewer, and the next one in ${retryAfterSeconds} seconds.`;
    super('too_many_requests', message, { status: 429 });
  }
}

/**
 * Stops whoever asks too much, as a problem with `Retry-After`. Comes after the guard that tells who asks. Nobody is stopped
 * for what others of the tenant ask while their own requests are few.
 */
@Injectable()
export class ThrottleGuard extends ThrottlerGuard {
  protected override throwThrottlingException(
    context: ExecutionContext,
    { key, ttl, timeToBlockExpire }: ThrottlerLimitDetail,
  ): Promise<void> {
    const own = keyOfPrincipal(context);
    if (nameOfKey(key) === 'tenant' && own) {
      const counts = this.storageService as RequestCounts;
      if (counts.requestsOf(own) <= (LEAST_PER_SECOND * ttl) / 1000) return Promise.resolve();
    }
    return Promise.reject(new TooManyRequestsError(nameOfKey(key), timeToBlockExpire));
  }
}
