import type { RedisConnections } from '#libs/processing';
import type { SharedCounts } from './request-counts.js';

/** One count, which ends a window after its first request; with the milliseconds that are left of it. */
const ADD = `
  local total = redis.call('INCRBY', KEYS[1], ARGV[1])
  local rest = redis.call('PTTL', KEYS[1])
  if rest < 0 then
    rest = tonumber(ARGV[2])
    redis.call('PEXPIRE', KEYS[1], rest)
  end
  return {total, rest}`;

/** Counts in Redis, for any number of processes. */
export class RedisCounts implements SharedCounts {
  /** @param prefix of the keys, so that installations can share a Redis. */
  constructor(
    private readonly redis: Pick<RedisConnections, 'client' | 'up'>,
    private readonly prefix: string,
  ) {
    // A process that works on no jobs uses Redis for nothing else: this connects it.
    redis.client();
  }

  get up(): boolean {
    return this.redis.up;
  }

  async add(key: string, requests: number, windowMs: number): Promise<{ total: number; restMs: number }> {
    const name = `${this.prefix}:throttle:${key}`;
    const answer = await this.redis.client().eval(ADD, 1, name, requests, windowMs);
    const [total, restMs] = answer as [number, number];
    return { total, restMs };
  }
}
