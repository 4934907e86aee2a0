import { Controller, Get, Query, type StreamableFile } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { csvFile } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { CostReports, type CostReport } from './cost-report.js';
import { PerformanceReports, type PerformanceReport } from './performance-report.js';
import { CostsQuery, RangeQuery, UsageQuery } from './report-query.js';
import { readRange } from './report-range.js';
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
  ) {}

  /** Usage by one dimension. */
  @Get('usage')
  @Authorize('read', 'Analytics')
  async usage(@CurrentPrincipal() { tenantId }: Principal, @Query() query: UsageQuery): Promise<UsageReport> {
    const range = readRange(query, new Date());
    return this.tenants.snapshot(tenantId, (em) =>
      this.usages.usage(em, tenantId, range, query.group_by ?? 'day'),
    );
  }

  /** Costs by one dimension, beside the time before, the month's projection and its budgets. */
  @Get('costs')
  @Authorize('read', 'Analytics')
  async costs(
    @CurrentPrincipal() { tenantId }: Principal,
    @Query() query: CostsQuery,
  ): Promise<CostReport | StreamableFile> {
    const now = new Date();
    const range = readRange(query, now);
    const group = query.group_by ?? 'day';
    if (query.format === 'csv') {
      const { items } = await this.tenants.snapshot(tenantId, (em) =>
        this.usages.usage(em, tenantId, range, group),
      );
      return csvFile(`ai-costs-by-${group}`, [group, ...COLUMNS.slice(1)], pageOf(items));
    }
    return this.tenants.snapshot(tenantId, (em) => this.costReports.costs(em, tenantId, range, group, now));
  }

  /** How each model did. */
  @Get('performance')
  @Authorize('read', 'Analytics')
  async performance(
    @CurrentPrincipal() { tenantId }: Principal,
    @Query() query: RangeQuery,
  ): Promise<PerformanceReport> {
    const range = readRange(query, new Date());
    return this.tenants.snapshot(tenantId, (em) => this.performances.performance(em, tenantId, range));
  }
}

// A file is made of pages, which may have to be waited for; these need not be.
async function* pageOf(items: readonly UsageItem[]): AsyncGenerator<unknown[][]> {
  yield items.map((item) => COLUMNS.map((name) => item[name]));
}
