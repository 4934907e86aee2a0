import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, FieldsmithError, type Clock } from '#libs/common';

const WINDOW_MS = 15 * 60_000;
const LIMIT_PER_EMAIL = 10;
const LIMIT_PER_ADDRESS = 50;
/** Counters kept at a time, of each kind; beyond it the least recently used are forgotten. */
const MAX_COUNTERS = 50_000;

interface Counter {
  attempts: number;
  until: number;
}

/** Too many failed sign-ins; status 429. */
export class TooManyAttemptsError extends FieldsmithError {
  constructor(readonly retryAfterSeconds: number) {
    super(
      'too_many_attempts',
      `Too many failed attempts to sign in: try again in ${retryAfterSeconds} seconds.`,
      {
        status: 429,
      },
    );
  }
}

/**
 * Bounds failed sign-ins, per e-mail and per network address, in windows of 15 minutes. An attempt counts when it
 * starts, so that many at once gain nothing, and is taken back when it did not fail. The counters are in memory, one set
 * for each process: a database that every guess writes to would be the cheaper target.
 */
@Injectable()
export class SignInThrottle {
  private readonly emails = new LRUCache<string, Counter>({ max: MAX_COUNTERS });
  private readonly addresses = new LRUCache<string, Counter>({ max: MAX_COUNTERS });

  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /**
   * Counts an attempt.
   *
   * @returns takes the attempt back; to be called unless the password was wrong.
   * @throws TooManyAttemptsError when the e-mail or the address has used up its failures.
   */
  begin(email: string, address: string): () => void {
    const now = this.clock.now().getTime();
    const used = [this.counter(this.emails, email, now), this.counter(this.addresses, address, now)] as const;
    const blocked = [
      ...(used[0].attempts >= LIMIT_PER_EMAIL ? [used[0].until] : []),
      ...(used[1].attempts >= LIMIT_PER_ADDRESS ? [used[1].until] : []),
    ];
    if (blocked.length > 0) throw new TooManyAttemptsError(Math.ceil((Math.max(...blocked) - now) / 1000));
    for (const counter of used) counter.attempts += 1;
    return () => used.forEach((counter) => (counter.attempts -= 1));
  }

  private counter(counters: LRUCache<string, Counter>, key: string, now: number): Counter {
    const known = counters.get(key);
    if (known && known.until > now) return known;
    const fresh = { attempts: 0, until: now + WINDOW_MS };
    counters.set(key, fresh);
    return fresh;
  }
}
