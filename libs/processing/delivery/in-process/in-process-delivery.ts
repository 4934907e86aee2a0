import { Logger } from '@nestjs/common';
import { loggableError } from '#libs/common';
import { LANE, type JobHint, type Lane } from '../../jobs/job.js';
import { jobLine } from '../../telemetry/job-line.js';
import type { Delivery, HintHandler } from '../delivery.js';

/** Hints that wait in memory for each slot, at most, and when more are asked for: a slot that gets free has its next job at once. */
const DEPTH = { waiting: 1, refill: 0.5 };
/**
 * While jobs are short hints come in larger batches: asking for each job alone took 0.3 ms of the database's time a job.
 * Behind long ones a new edit would wait for as many rounds.
 */
const DEPTH_OF_SHORT = { waiting: 4, refill: 1 };
const SHORT_MS = 200;
/** How much the last job counts in how long jobs take. */
const WEIGHT = 0.1;
/** One in so many is backfill's: slots, or turns where there are fewer slots than that. */
const ONE_IN = 5;

/**
 * Delivery within one process: two queues in memory and a number of slots. Backfill may use four fifths of the slots, so
 * that an edit finds one free; one fifth is backfill's before anybody else's while it has work. With fewer than five slots
 * a slot is more than a fifth, and the only one would be all: there every fifth turn is backfill's instead.
 */
export class InProcessDelivery implements Delivery {
  private readonly logger = new Logger(InProcessDelivery.name);
  private readonly queues: Record<Lane, JobHint[]> = { 0: [], 1: [] };
  private readonly running: Record<Lane, number> = { 0: 0, 1: 0 };
  /** Slots that backfill has before edits; none where turns are counted. */
  private readonly ofBackfill: number;
  private readonly mostBackfill: number;
  /** Turns that edits had and backfill has not made up for. */
  private editTurns = 0;
  private handler: HintHandler | undefined;
  private onRoom: () => void = () => undefined;
  private idle: (() => void) | undefined;
  private stopped = false;
  private usualMs = 1_000;

  /** @param slots jobs worked on at once, at least 1. */
  constructor(private readonly slots: number) {
    this.ofBackfill = Math.floor(slots / ONE_IN);
    this.mostBackfill = slots > 1 ? slots - Math.max(1, this.ofBackfill) : 1;
  }

  room(lane: Lane): number {
    if (this.stopped) return 0;
    return Math.max(0, this.slots * (1 + this.depth.waiting) - this.running[lane] - this.queues[lane].length);
  }

  isLow(lane: Lane): boolean {
    return this.queues[lane].length <= this.slots * this.depth.refill;
  }

  deliver(lane: Lane, hints: JobHint[]): Promise<void> {
    if (this.stopped) return Promise.reject(new Error('This process takes no more jobs.'));
    this.queues[lane].push(...hints);
    this.pump();
    return Promise.resolve();
  }

  start(handler: HintHandler, onRoom: () => void): Promise<void> {
    this.handler = handler;
    this.onRoom = onRoom;
    this.pump();
    return Promise.resolve();
  }

  /**
   * Whether a hint of this lane would be worked on at once.
   *
   * @param editsWait whether edits wait elsewhere, before which backfill has just its fifth.
   */
  free(lane: Lane, editsWait = false): boolean {
    if (this.queues[lane].length > 0 || this.total() >= this.slots) return false;
    if (lane === LANE.interactive) return true;
    return this.running[lane] < this.mostBackfill && (!editsWait || this.backfillIsNext());
  }

  /** Takes back what was not begun. */
  takeBack(lane: Lane): JobHint[] {
    return this.queues[lane].splice(0);
  }

  async stop(drainMs: number, giveBack: (hints: JobHint[]) => Promise<void>): Promise<void> {
    this.stopped = true;
    const left = [...this.takeBack(LANE.interactive), ...this.takeBack(LANE.backfill)];
    if (left.length > 0) await giveBack(left);
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
      this.countTurn(lane);
      void this.work(lane, hint, this.handler);
    }
  }

  private async work(lane: Lane, hint: JobHint, handler: HintHandler): Promise<void> {
    const started = performance.now();
    try {
      await handler(lane, hint);
    } catch (error) {
      const job = { id: hint.jobId, tenantId: hint.tenantId };
      this.logger.error(jobLine(job, 'the hint was not worked on', { err: loggableError(error) }));
    }
    this.running[lane] -= 1;
    this.usualMs += WEIGHT * (performance.now() - started - this.usualMs);
    if (this.stopped && this.total() === 0) this.idle?.();
    this.pump();
    if (this.isLow(lane)) this.onRoom();
  }

  private get depth(): typeof DEPTH {
    return this.usualMs < SHORT_MS ? DEPTH_OF_SHORT : DEPTH;
  }

  private next(): Lane | undefined {
    if (this.total() >= this.slots) return undefined;
    const edits = this.queues[LANE.interactive].length > 0;
    const backfill = this.queues[LANE.backfill].length > 0 && this.running[LANE.backfill] < this.mostBackfill;
    if (backfill && (!edits || this.backfillIsNext())) return LANE.backfill;
    return edits ? LANE.interactive : undefined;
  }

  /** Whether backfill goes before edits that wait. */
  private backfillIsNext(): boolean {
    if (this.ofBackfill > 0) return this.running[LANE.backfill] < this.ofBackfill;
    return this.editTurns >= ONE_IN - 1;
  }

  /** A turn that backfill got late, because its hint had to be fetched first, comes the sooner the next time; just one. */
  private countTurn(lane: Lane): void {
    const owed = ONE_IN - 1;
    if (lane === LANE.backfill) this.editTurns = Math.max(0, this.editTurns - owed);
    else this.editTurns = Math.min(this.editTurns + 1, 2 * owed);
  }

  private total(): number {
    return this.running[LANE.interactive] + this.running[LANE.backfill];
  }
}
