import { InvalidInputError } from '#libs/common';

/** Days that a report covers unless it is told, and at most. */
const DEFAULT_DAYS = 30;
const MAX_DAYS = 400;
export const DAY_MS = 86_400_000;

/** A time from one moment, inclusive, to another, exclusive. */
export interface Interval {
  from: Date;
  to: Date;
}

/** What a report covers, taken apart: days (UTC) that are in it from beginning to end, and what is left at its ends. */
export interface ReportRange extends Interval {
  /** Midnights; the same twice where no day is in it whole. */
  days: Interval;
  edges: Interval[];
}

/**
 * Reads `from` and `to`; a day without a time is its midnight in UTC.
 *
 * @throws InvalidInputError where the one is not before the other, or too long before.
 */
export function readRange(query: { from?: string; to?: string }, now: Date): ReportRange {
  const to = query.to ? new Date(query.to) : new Date(midnight(now).getTime() + DAY_MS);
  const from = query.from ? new Date(query.from) : new Date(to.getTime() - DEFAULT_DAYS * DAY_MS);
  const days = (to.getTime() - from.getTime()) / DAY_MS;
  if (!(days > 0 && days <= MAX_DAYS)) {
    throw new InvalidInputError([
      { path: 'from', message: `must be before "to", and at most ${MAX_DAYS} days` },
    ]);
  }
  return rangeOf(from, to);
}

export function rangeOf(from: Date, to: Date): ReportRange {
  const [first, last] = [nextMidnight(from), midnight(to)];
  if (first.getTime() >= last.getTime())
    return { from, to, days: { from: first, to: first }, edges: [{ from, to }] };
  const edges = [
    { from, to: first },
    { from: last, to },
  ];
  return { from, to, days: { from: first, to: last }, edges: edges.filter(isLong) };
}

/** As long, directly before. */
export function rangeBefore({ from, to }: Interval): ReportRange {
  return rangeOf(new Date(2 * from.getTime() - to.getTime()), from);
}

/** The midnight (UTC) that the day of this moment began with. */
export function midnight(at: Date): Date {
  return new Date(Math.floor(at.getTime() / DAY_MS) * DAY_MS);
}

/** `YYYY-MM-DD` of a midnight. */
export function dayText(day: Date): string {
  return day.toISOString().slice(0, 10);
}

function nextMidnight(at: Date): Date {
  return new Date(Math.ceil(at.getTime() / DAY_MS) * DAY_MS);
}

function isLong({ from, to }: Interval): boolean {
  return from.getTime() < to.getTime();
}
