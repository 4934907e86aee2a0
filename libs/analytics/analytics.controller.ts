import { Controller, Get, Query, type StreamableFile } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { csvFile } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { CostReports, type CostReport } from './cost-report.js';
import { PerformanceReports, type PerformanceReport } from './performance-report.js';
import { CostsQuery, RangeQuery, UsageQuery } from './report-query.js';
import { readRange, type ReportRange } from './report-range.js';
import { ShownReports } from './shown-reports.js';
import type { UsageGroup } from './usage-groups.js';
import { UsageReports, type UsageItem, type UsageReport } from './usage-report.js';

/** Members of an item, in the order of the file's columns. */
const COLUMNS = [
  'key',
  'requests',
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'cost_usd',
  'cost_cents',
  'errors',
  'cached',
] as const satisfies (keyof UsageItem)[];

/** Reports over a range: `from` is inclusive, `to` exclusive. Each is read as of one moment. */
@Controller('ai-analytics')
export class AnalyticsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly usages: UsageReports,
    private readonly costReports: CostReports,
    private readonly performances: PerformanceReports,
    private readonly shown: ShownReports,
  ) {}

  /** Usage by one dimension. */
  @Get('usage')
  @Authorize('read', 'Analytics')
  async usage(@CurrentPrincipal() principal: Principal, @Query() query: UsageQuery): Promise<UsageReport> {
    const range = readRange(query, new Date());
    return this.tenants.snapshot(principal.tenantId, (em) =>
      this.usageBy(em, principal, range, query.group_by ?? 'day'),
    );
  }

  /** Costs by one dimension, beside the time before, the month's projection and its budgets. */
  @Get('costs')
  @Authorize('read', 'Analytics')
  async costs(
    @CurrentPrincipal() principal: Principal,
    @Query() query: CostsQuery,
  ): Promise<CostReport | StreamableFile> {
    const { tenantId } = principal;
    const now = new Date();
    const range = readRange(query, now);
    const group = query.group_by ?? 'day';
    if (query.format === 'csv') {
      const { items } = await this.tenants.snapshot(tenantId, (em) =>
        this.usageBy(em, principal, range, group),
      );
      return csvFile(`ai-costs-by-${group}`, [group, ...COLUMNS.slice(1)], pageOf(items));
    }
    return this.tenants.snapshot(tenantId, async (em) => {
      const report = await this.costReports.costs(em, tenantId, range, group, now);
      const { users, fields } = report.top_spenders;
      return {
        ...report,
        items: await this.shown.lines(em, principal, group, report.items),
        top_spenders: { users, fields: await this.shown.lines(em, principal, 'field', fields) },
      };
    });
  }

  /** How each model did. */
  @Get('performance')
  @Authorize('read', 'Analytics')
  async performance(
    @CurrentPrincipal() principal: Principal,
    @Query() query: RangeQuery,
  ): Promise<PerformanceReport> {
    const { tenantId } = principal;
    const range = readRange(query, new Date());
    return this.tenants.snapshot(tenantId, async (em) =>
      this.shown.performance(em, principal, await this.performances.performance(em, tenantId, range)),
    );
  }

  private async usageBy(
    em: EntityManager,
    principal: Principal,
    range: ReportRange,
    group: UsageGroup,
  ): Promise<UsageReport> {
    const { items, totals } = await this.usages.usage(em, principal.tenantId, range, group);
    return { items: await this.shown.lines(em, principal, group, items), totals };
  }
}

// A file is made of pages, which may have to be waited for; these need not be.
async function* pageOf(items: readonly UsageItem[]): AsyncGenerator<unknown[][]> {
  yield items.map((item) => COLUMNS.map((name) => item[name]));
}
