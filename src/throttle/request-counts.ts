import type { ThrottlerStorage } from '@nestjs/throttler';
import { LRUCache } from 'lru-cache';
import type { Clock } from '#libs/common';

/** Counts kept at a time; beyond it the least recently used are forgotten. */
const MAX_COUNTS = 50_000;

/** Counts that all processes share. */
export interface SharedCounts {
  /** Whether it can be asked now. */
  readonly up: boolean;
  /**
   * Adds requests to a count, which begins anew `windowMs` after its first one.
   *
   * @returns all requests of the window, everybody's, and the milliseconds that are left of it.
   * @throws when it is away: those requests are then not in the count.
   */
  add(key: string, requests: number, windowMs: number): Promise<{ total: number; restMs: number }>;
}

interface Count {
  requests: number;
  /** Milliseconds since the epoch at which it begins anew. */
  until: number;
  /** Of the requests, those that the shared count has not been told of. */
  untold: number;
  isTelling: boolean;
}

type Counted = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Counts requests in windows of time. What decides is in memory, so that no request waits: the shared counts are told
 * afterwards, in one command at a time for each key however many requests came meanwhile, and their answer is what
 * counts from then on. Several processes so overshoot a limit by what comes within one round trip; while the shared
 * counts are away, each process counts its own.
 *
 * What is refused is not counted: whoever goes on asking is let through again when the window ends.
 */
export class RequestCounts implements ThrottlerStorage {
  private readonly counts = new LRUCache<string, Count>({ max: MAX_COUNTS });

  constructor(
    private readonly clock: Clock,
    private readonly shared?: SharedCounts,
  ) {}

  /** @param ttl milliseconds of a window. */
  increment(key: string, ttl: number, limit: number): Promise<Counted> {
    const now = this.clock.now().getTime();
    const count = this.countOf(key, ttl, now);
    const isBlocked = count.requests >= limit;
    if (!isBlocked) {
      count.requests += 1;
      count.untold += 1;
      this.tell(key, ttl, count);
    }
    const rest = Math.max(1, Math.ceil((count.until - now) / 1000));
    return Promise.resolve({
      totalHits: count.requests,
      timeToExpire: rest,
      isBlocked,
      timeToBlockExpire: isBlocked ? rest : 0,
    });
  }

  /** Requests let through in the window that goes on now. */
  requestsOf(key: string): number {
    const count = this.counts.peek(key);
    return count && count.until > this.clock.now().getTime() ? count.requests : 0;
  }

  private countOf(key: string, windowMs: number, now: number): Count {
    const known = this.counts.get(key);
    if (known && known.until > now) return known;
    const fresh = { requests: 0, until: now + windowMs, untold: 0, isTelling: false };
    this.counts.set(key, fresh);
    return fresh;
  }

  private tell(key: string, windowMs: number, count: Count): void {
    if (!this.shared?.up || count.isTelling || count.untold === 0) return;
    const requests = count.untold;
    count.untold = 0;
    count.isTelling = true;
    const adopt = ({ total, restMs }: { total: number; restMs: number }): void => {
      count.requests = total + count.untold;
      count.until = this.clock.now().getTime() + restMs;
    };
    void this.shared
      .add(key, requests, windowMs)
      // Whether it is away is logged by its connection; these requests stay counted here.
      .then(adopt, () => undefined)
      .then(() => {
        count.isTelling = false;
        this.tell(key, windowMs, count);
      });
  }
}
