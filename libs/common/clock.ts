/** The time, injectable so that a test can set it. */
export interface Clock {
  now(): Date;
}

/** Nest token of the {@link Clock}. */
export const CLOCK = Symbol('CLOCK');

export const systemClock: Clock = { now: () => new Date() };
