import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Job } from 'bull';
import { LANE, type JobHint, type Lane } from '../../jobs/job.js';
import type { Delivery, HintHandler } from '../delivery.js';
import { InProcessDelivery } from '../in-process/in-process-delivery.js';
import { HINT_OPTIONS, hintOf, type LaneQueues } from './lane-queues.js';
import type { RedisConnections } from './redis-connections.js';

/** Takings between two looks at how much is left, for each slot: in between it is counted here, which others may thwart. */
const LOOKS_PER_SLOT = 4;
/** Hints that wait in Redis for each slot of this process; with more processes there are as many times more. */
const WAITING_PER_SLOT = 2;
const LANES: readonly Lane[] = [LANE.interactive, LANE.backfill];
/** Milliseconds before Redis is asked again after it refused. */
const PAUSE_MS = 50;
/** What a client says that has no connection, at the start for one; whether Redis is away is logged elsewhere. */
const NO_CONNECTION = /isn't writeable|connection is closed|retries per request/i;
/** A hint that was taken and not seen again for so long belonged to a process that died between two commands. */
const ABANDONED_MS = 60_000;

/**
 * Delivery through Bull on Redis, to any number of processes: a queue for each lane. Hints are taken one by one and only
 * while a slot is free for them here, so that none waits in a busy process while another is idle; the slots are shared
 * between the lanes as within one process. A hint is done when it is taken: it is the lease of the row, not a lock in
 * Redis, that watches over the work.
 */
export class BullDelivery implements Delivery {
  private readonly logger = new Logger(BullDelivery.name);
  private readonly slots: InProcessDelivery;
  /** Hints that wait in Redis, as of the last look and counted from there. */
  private readonly waiting: Record<Lane, number> = { 0: 0, 1: 0 };
  private readonly untilLook: Record<Lane, number> = { 0: 0, 1: 0 };
  /** The hint that was taken last. Redis learns it when the next one is fetched: one command for both. */
  private readonly taken: Partial<Record<Lane, Job<unknown>>> = {};
  /** Whether the dispatcher was told to stop for want of room. */
  private readonly full: Record<Lane, boolean> = { 0: false, 1: false };
  private readonly stopping = new AbortController();
  private readonly mostWaiting: number;
  private loops: Promise<unknown> = Promise.resolve();
  private sweepTimer: NodeJS.Timeout | undefined;
  private onSlot: (() => void)[] = [];
  private onRoom: () => void = () => undefined;
  private complaint: string | undefined;

  /** @param slots jobs worked on at once in this process, at least 1. */
  constructor(
    private readonly redis: RedisConnections,
    private readonly queues: LaneQueues,
    slots: number,
  ) {
    this.slots = new InProcessDelivery(slots);
    this.mostWaiting = slots * WAITING_PER_SLOT;
  }

  room(lane: Lane): number {
    const room = this.stopped || !this.redis.up ? 0 : Math.max(0, this.mostWaiting - this.waiting[lane]);
    this.full[lane] = room === 0;
    return room;
  }

  isLow(lane: Lane): boolean {
    return this.waiting[lane] <= this.mostWaiting / 2;
  }

  /** @throws when not all hints are in Redis for sure. */
  async deliver(lane: Lane, hints: JobHint[]): Promise<void> {
    const jobs = await this.queues[lane].addBulk(hints.map((data) => ({ data, opts: HINT_OPTIONS })));
    // Bull leaves the errors of single commands, of a Redis that is full for one, to whoever looks for them.
    if (jobs.some(({ id }) => !id)) throw new Error('Redis refused hints.');
    this.saw(lane, this.waiting[lane] + hints.length);
    // Idle workers have taken theirs by now; whoever delivers need not wait to know.
    void this.look(lane).catch((error: unknown) => this.complain(error));
  }

  async start(handler: HintHandler, onRoom: () => void, onLost: () => void): Promise<void> {
    this.onRoom = onRoom;
    this.redis.onReturn(onLost);
    await this.slots.start(handler, () => this.ended());
    this.loops = Promise.all(LANES.map((lane) => this.takeAll(lane)));
    this.sweepTimer = setInterval(() => void this.sweep(), ABANDONED_MS);
  }

  async stop(drainMs: number, giveBack: (hints: JobHint[]) => Promise<void>): Promise<void> {
    clearInterval(this.sweepTimer);
    this.stopping.abort();
    this.slotFreed();
    this.redis.stopBlocking();
    await this.loops;
    await this.finishTaken();
    await this.returnHints();
    await this.slots.stop(drainMs, giveBack);
  }

  async ping(): Promise<void> {
    await this.redis.ping();
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async takeAll(lane: Lane): Promise<void> {
    while (!this.stopped) {
      if (!this.slots.free(lane, this.waiting[LANE.interactive] > 0))
        await new Promise<void>((resolve) => this.onSlot.push(resolve));
      else await this.takeOne(lane).catch((error: unknown) => this.pause(error));
    }
  }

  private async takeOne(lane: Lane): Promise<void> {
    const job = await this.next(lane);
    this.complaint = undefined;
    if (!job) return this.saw(lane, 0);
    this.taken[lane] = job;
    const hint = hintOf(job);
    if (hint) await this.slots.deliver(lane, [hint]);
    else this.logger.warn(`A message in queue ${this.queues[lane].name} is no hint and was dropped.`);
    if (this.untilLook[lane]-- <= 0) await this.look(lane);
    else this.saw(lane, Math.max(0, this.waiting[lane] - 1));
  }

  /** The next hint; waits a while for one where there is none. Bull gives it with the end of the one before. */
  private async next(lane: Lane): Promise<Job<unknown> | null | undefined> {
    const queue = this.queues[lane];
    const before = this.taken[lane];
    delete this.taken[lane];
    // One that was tidied away, or whose lock ran out meanwhile, needs no end.
    const found = await before?.moveToCompleted().catch(() => null);
    return (found && queue.nextJobFromJobData(...found)) || queue.getNextJob();
  }

  private async finishTaken(): Promise<void> {
    await Promise.all(
      Object.values(this.taken).map((job) => job.moveToCompleted(undefined, true, true).catch(() => null)),
    );
  }

  private async look(lane: Lane): Promise<void> {
    this.untilLook[lane] = this.mostWaiting / WAITING_PER_SLOT / LOOKS_PER_SLOT;
    this.saw(lane, await this.queues[lane].getWaitingCount());
  }

  private saw(lane: Lane, waiting: number): void {
    this.waiting[lane] = waiting;
    // Backfill makes way for edits that wait: it is told when none does.
    if (lane === LANE.interactive && waiting === 0) this.slotFreed();
    if (waiting >= this.mostWaiting) this.full[lane] = true;
    if (!this.full[lane] || waiting > this.mostWaiting / 2) return;
    this.full[lane] = false;
    this.onRoom();
  }

  /** The end of a job may leave room in its tenant's window, which nobody else is told of. */
  private ended(): void {
    this.slotFreed();
    if (!this.stopped && LANES.some((lane) => this.isLow(lane))) this.onRoom();
  }

  private slotFreed(): void {
    const waiters = this.onSlot;
    this.onSlot = [];
    for (const resolve of waiters) resolve();
  }

  /** A fault is said once, not at every try. */
  private complain(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.stopped || NO_CONNECTION.test(message) || message === this.complaint) return;
    this.complaint = message;
    this.logger.warn(`Redis refuses what delivery needs, tried again: ${message}`);
  }

  private async pause(error: unknown): Promise<void> {
    this.complain(error);
    await wait(PAUSE_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  /** What was taken here and not begun: others may have slots for it. If Redis is away the rows' time runs out. */
  private async returnHints(): Promise<void> {
    for (const lane of LANES) {
      const hints = this.slots.takeBack(lane);
      if (hints.length > 0 && this.redis.up) await this.deliver(lane, hints).catch(() => undefined);
    }
  }

  /** Removes what processes that died left between taking a hint and saying so. */
  private async sweep(): Promise<void> {
    if (!this.redis.up) return;
    for (const lane of LANES) {
      await this.queues[lane]
        .clean(ABANDONED_MS, 'active')
        .catch((error: unknown) => this.logger.warn(`Redis could not be tidied: ${String(error)}`));
    }
  }
}
