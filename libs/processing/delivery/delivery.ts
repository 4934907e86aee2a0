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
  deliver(lane: Lane, hints: JobHint[]): Promise<void>;
  /** Starts to hand hints to the handler; `onRoom` is called whenever there is room again. */
  start(handler: HintHandler, onRoom: () => void): Promise<void>;
  /** Takes nothing more and waits for what is being worked on, at most this many milliseconds. */
  stop(drainMs: number): Promise<void>;
}

/** Nest token of the {@link Delivery}. */
export const DELIVERY = Symbol('DELIVERY');
