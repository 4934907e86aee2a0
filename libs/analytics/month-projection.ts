import { nanoToCents, nanoToUsd } from '#libs/common';
import { DAY_MS, dayText, midnight, type Interval } from './report-range.js';
import type { UsageRow } from './usage-report.js';

const PACE_DAYS = 7;

/** What the current month will have cost by its end, if it goes on as in the last days. */
export interface MonthProjection {
  /** `YYYY-MM`, UTC. */
  month: string;
  spent_usd: number;
  spent_cents: number;
  /** A day, over the last seven: today and the six before. */
  pace_usd: number;
  pace_cents: number;
  /** Of this month, the rest of today included. */
  days_left: number;
  projected_usd: number;
  projected_cents: number;
}

/** The days that a projection is made from. */
export function projectionDays(now: Date): Interval {
  const [today, month] = [midnight(now).getTime(), monthOf(now).from.getTime()];
  return { from: new Date(Math.min(month, paceFrom(now))), to: new Date(today + DAY_MS) };
}

/**
 * What was spent this month, and for the time that is left of it the pace of the last seven days: their cost over the
 * time that has passed since they began.
 *
 * @param rows usage by day over {@link projectionDays}.
 */
export function projectMonth(rows: readonly UsageRow[], now: Date): MonthProjection {
  const month = monthOf(now);
  const spent = costSince(rows, month.from);
  const recent = costSince(rows, new Date(paceFrom(now)));
  const passed = BigInt(Math.max(1, now.getTime() - paceFrom(now)));
  const left = BigInt(month.to.getTime() - now.getTime());
  const pace = (recent * BigInt(DAY_MS)) / passed;
  const projected = spent + (recent * left) / passed;
  return {
    month: dayText(month.from).slice(0, 7),
    spent_usd: nanoToUsd(spent),
    spent_cents: nanoToCents(spent),
    pace_usd: nanoToUsd(pace),
    pace_cents: nanoToCents(pace),
    days_left: Number((Number(left) / DAY_MS).toFixed(2)),
    projected_usd: nanoToUsd(projected),
    projected_cents: nanoToCents(projected),
  };
}

function costSince(rows: readonly UsageRow[], since: Date): bigint {
  const first = dayText(since);
  return rows.reduce((sum, { key, cost }) => (key !== null && key >= first ? sum + BigInt(cost) : sum), 0n);
}

function paceFrom(now: Date): number {
  return midnight(now).getTime() - (PACE_DAYS - 1) * DAY_MS;
}

function monthOf(now: Date): Interval {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return { from: new Date(Date.UTC(year, month, 1)), to: new Date(Date.UTC(year, month + 1, 1)) };
}
