import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Budgets, type BudgetView } from '#libs/accounting';
import { nanoToCents, nanoToUsd } from '#libs/common';
import { requireKept } from './kept-days.js';
import { projectionDays, projectMonth, type MonthProjection } from './month-projection.js';
import { rangeBefore, rangeOf, type ReportRange } from './report-range.js';
import type { UsageGroup } from './usage-groups.js';
import {
  sumOf,
  toItem,
  totalsOf,
  UsageReports,
  type UsageReport,
  type UsageRow,
  type UsageTotals,
} from './usage-report.js';

const TOP = 5;

export interface Spender {
  key: string;
  cost_usd: number;
  cost_cents: number;
  /** Of all costs of the range, 0 to 1. */
  share: number;
}

export interface CostReport extends UsageReport {
  /** As long as the range, directly before it. */
  previous_period: {
    from: string;
    to: string;
    totals: UsageTotals;
    /** Per cent that costs rose since, negative where they fell; null where there were none. */
    change_percent: number | null;
  };
  /** Of the current month, whatever the range. */
  projection: MonthProjection;
  /** Of the current month. */
  budgets: BudgetView[];
  /** The first five, the dearest first. */
  top_spenders: { users: Spender[]; fields: Spender[] };
}

/** What a tenant's AI costs, compared and carried forward. Give it a snapshot: its parts are read one by one. */
@Injectable()
export class CostReports {
  constructor(
    private readonly usage: UsageReports,
    private readonly budgets: Budgets,
  ) {}

  /** @throws InvalidInputError where the range ends within a day whose calls are no longer kept. */
  async costs(
    em: EntityManager,
    tenantId: string,
    range: ReportRange,
    group: UsageGroup,
    now: Date,
  ): Promise<CostReport> {
    const before = rangeBefore(range);
    await requireKept(em, tenantId, range);
    await requireKept(em, tenantId, before);
    const days = projectionDays(now);
    const top = { by: 'cost', most: TOP } as const;
    // Asked together: they travel as one packet.
    const [rows, earlier, recent, users, fields, budgets] = await Promise.all([
      this.usage.rows(em, tenantId, range, group),
      this.usage.rows(em, tenantId, before, 'template'),
      this.usage.rows(em, tenantId, rangeOf(days.from, days.to), 'day'),
      this.usage.rows(em, tenantId, range, 'user', top),
      this.usage.rows(em, tenantId, range, 'field', top),
      this.budgets.list(em, tenantId),
    ]);
    const cost = BigInt(sumOf(rows, 'cost'));
    return {
      items: rows.map(toItem),
      totals: totalsOf(rows),
      previous_period: {
        from: before.from.toISOString(),
        to: before.to.toISOString(),
        totals: totalsOf(earlier),
        change_percent: change(BigInt(sumOf(earlier, 'cost')), cost),
      },
      projection: projectMonth(recent, now),
      budgets,
      top_spenders: { users: users.map(spender(cost)), fields: fields.map(spender(cost)) },
    };
  }
}

/** Per cent with one decimal. */
function change(before: bigint, after: bigint): number | null {
  return before > 0n ? Math.round((Number(after - before) / Number(before)) * 1_000) / 10 : null;
}

function spender(all: bigint): (row: UsageRow) => Spender {
  return ({ key, cost }) => ({
    key: key!,
    cost_usd: nanoToUsd(BigInt(cost)),
    cost_cents: nanoToCents(BigInt(cost)),
    share: Math.round((Number(cost) / Number(all)) * 10_000) / 10_000,
  });
}
