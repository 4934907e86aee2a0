import { Module, type DynamicModule } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { systemClock } from '#libs/common';
import { RedisConnections } from '#libs/processing';
import type { Config } from '../config/read-config.js';
import { RedisCounts } from './redis-counts.js';
import { RequestCounts } from './request-counts.js';
import { throttlerOptions } from './throttle.options.js';

/** What the `ThrottleGuard` needs: limits of the environment, and counts that processes share where there is a Redis. */
@Module({})
export class ThrottleModule {
  static for({ throttle, redisPrefix = 'fieldsmith' }: Config): DynamicModule {
    const limits = ThrottlerModule.forRootAsync({
      inject: [RedisConnections],
      useFactory: (redis: RedisConnections) => {
        const shared = redis.configured ? new RedisCounts(redis, redisPrefix) : undefined;
        return throttlerOptions(throttle, new RequestCounts(systemClock, shared));
      },
    });
    return { module: ThrottleModule, imports: [limits] };
  }
}
