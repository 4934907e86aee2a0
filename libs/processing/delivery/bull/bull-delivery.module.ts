import { BullModule, getQueueToken } from '@nestjs/bull';
import { Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Queue } from 'bull';
import { LANE } from '../../jobs/job.js';
import { QUEUE_NAMES, QUEUE_OF_LANE, type LaneQueue, type LaneQueues } from './lane-queues.js';
import { RedisConnections } from './redis-connections.js';

/** Nest token of the {@link LaneQueues}. */
export const LANE_QUEUES = Symbol('LANE_QUEUES');

@Module({ providers: [RedisConnections], exports: [RedisConnections] })
class RedisModule {}

const queues = BullModule.registerQueueAsync(
  ...QUEUE_NAMES.map((name) => ({
    name,
    imports: [RedisModule],
    inject: [RedisConnections],
    useFactory: (redis: RedisConnections) => redis.queueOptions(),
  })),
);

/** The queues of the lanes. Where no Redis is configured they exist and are connected to nothing. */
@Module({
  imports: [RedisModule, queues],
  providers: [
    {
      provide: LANE_QUEUES,
      inject: [getQueueToken(QUEUE_OF_LANE[LANE.interactive]), getQueueToken(QUEUE_OF_LANE[LANE.backfill])],
      useFactory: (interactive: LaneQueue, backfill: LaneQueue): LaneQueues => ({
        [LANE.interactive]: interactive,
        [LANE.backfill]: backfill,
      }),
    },
  ],
  exports: [RedisModule, LANE_QUEUES],
})
export class BullDeliveryModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly redis: RedisConnections,
    @Inject(LANE_QUEUES) private readonly queues: LaneQueues,
  ) {}

  /** Begins to connect and waits for nothing: the product starts without Redis, too. */
  onModuleInit(): void {
    if (this.redis.configured) this.redis.client();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(Object.values(this.queues).map(close));
    this.redis.close();
  }
}

/**
 * Closes a queue. Bull would end the connection that the queue waits on, open it again and wait for that, sometimes for
 * ever; told that there is none, it leaves it to us, as it does with every connection that it has not made.
 */
function close(queue: Queue<unknown> & { bclientInitialized?: boolean }): Promise<void> {
  queue.bclientInitialized = false;
  return queue.close();
}
