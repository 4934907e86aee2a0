import { Logger } from '@nestjs/common';
import { loggableError } from '#libs/common';
import { LANE, type JobHint, type Lane } from '../../jobs/job.js';
import type { Delivery, HintHandler } from '../delivery.js';

/** Hints that wait in memory for each slot, so that a slot that gets free has its next job at once. */
const WAITING_PER_SLOT = 1;

/**
 * Delivery within one process: two queues in memory and a number of slots. Backfill may use four fifths of the slots, so
 * that an edit finds one free; one fifth is backfill's before anybody else's while it has work.
 */
export class InProcessDelivery implements Delivery {
  private readonly logger = new Logger(InProcessDelivery.name);
  private readonly queues: Record<Lane, JobHint[]> = { 0: [], 1: [] };
  private readonly running: Record<Lane, number> = { 0: 0, 1: 0 };
  private readonly share: number;
  private handler: HintHandler | undefined;
  private onRoom: () => void = () => undefined;
  private idle: (() => void) | undefined;
  private stopped = false;

  /** @param slots jobs worked on at once, at least 1. */
  constructor(private readonly slots: number) {
    this.share = slots > 1 ? Math.max(1, Math.floor(slots / 5)) : 0;
  }

  room(lane: Lane): number {
    if (this.stopped) return 0;
    return Math.max(0, this.slots * (1 + WAITING_PER_SLOT) - this.running[lane] - this.queues[lane].length);
  }

  deliver(lane: Lane, hints: JobHint[]): Promise<void> {
    if (!this.stopped) this.queues[lane].push(...hints);
    this.pump();
    return Promise.resolve();
  }

  start(handler: HintHandler, onRoom: () => void): Promise<void> {
    this.handler = handler;
    this.onRoom = onRoom;
    this.pump();
    return Promise.resolve();
  }

  async stop(drainMs: number): Promise<void> {
    this.stopped = true;
    this.queues[LANE.interactive].length = 0;
    this.queues[LANE.backfill].length = 0;
    if (this.total() === 0) return;
    const drained = new Promise<void>((resolve) => (this.idle = resolve));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, drainMs)));
    await Promise.race([drained, late]);
    clearTimeout(timer);
  }

  private pump(): void {
    if (!this.handler) return;
    for (let lane = this.next(); lane !== undefined; lane = this.next()) {
      const hint = this.queues[lane].shift()!;
      this.running[lane] += 1;
      void this.work(lane, hint, this.handler);
    }
  }

  private async work(lane: Lane, hint: JobHint, handler: HintHandler): Promise<void> {
    try {
      await handler(lane, hint);
    } catch (error) {
      this.logger.error({ jobId: hint.jobId, tenantId: hint.tenantId, err: loggableError(error) });
    }
    this.running[lane] -= 1;
    if (this.stopped && this.total() === 0) this.idle?.();
    this.pump();
    if (this.queues[lane].length <= this.slots / 2) this.onRoom();
  }

  private next(): Lane | undefined {
    if (this.total() >= this.slots) return undefined;
    const [edits, backfill] = [this.queues[LANE.interactive].length, this.queues[LANE.backfill].length];
    if (backfill > 0 && this.running[LANE.backfill] < this.share) return LANE.backfill;
    if (edits > 0) return LANE.interactive;
    if (backfill > 0 && this.running[LANE.backfill] < this.slots - this.share) return LANE.backfill;
    return undefined;
  }

  private total(): number {
    return this.running[LANE.interactive] + this.running[LANE.backfill];
  }
}
