import type { JobHint, Lane } from '../jobs/job.js';

/** Works on one job; never throws. */
export type HintHandler = (lane: Lane, hint: JobHint) => Promise<void>;

/**
 * Brings job ids to workers. A hint may be lost, late, early or double: the row in Postgres is the truth, and whoever
 * gets a hint claims the row first. So a delivery needs no persistence, no retries and no order of its own.
 */
export interface Delivery {
  /** How many more hints of a lane it takes now. */
  room(lane: Lane): number;
  /** Whether so few hints of a lane wait that a batch is worth its while; `onRoom` is called when it becomes so. */
  isLow(lane: Lane): boolean;
  /** @throws when hints may not have been taken; whoever gave them hands them out again. */
  deliver(lane: Lane, hints: JobHint[]): Promise<void>;
  /**
   * Starts to hand hints to the handler. `onRoom` is called whenever there is room again, `onLost` when hints that were
   * delivered and are not worked on yet may have been lost.
   */
  start(handler: HintHandler, onRoom: () => void, onLost: () => void): Promise<void>;
  /**
   * Takes nothing more and waits for what is being worked on, at most this many milliseconds.
   *
   * @param giveBack called with hints that nobody else will ever see, so that their jobs are due again at once.
   */
  stop(drainMs: number, giveBack: (hints: JobHint[]) => Promise<void>): Promise<void>;
  /** Resolves when what it is built on answers; absent where it is built on nothing but this process. */
  ping?(): Promise<void>;
}

/** Nest token of the {@link Delivery}. */
export const DELIVERY = Symbol('DELIVERY');
