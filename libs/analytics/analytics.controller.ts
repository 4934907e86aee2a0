import { Controller, Get, Query } from '@nestjs/common';
import { IsIn, IsISO8601, IsOptional, Matches } from 'class-validator';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { InvalidInputError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { USAGE_GROUPS, UsageReports, type UsageGroup, type UsageReport } from './usage-report.js';

/** Days that a report covers unless it is told. */
const DEFAULT_DAYS = 30;
const MAX_DAYS = 400;
const DAY_MS = 86_400_000;

class UsageQuery {
  @IsOptional()
  @IsISO8601({ strict: true })
  @Matches(/^\d{4}-\d{2}-\d{2}/)
  from?: string;
  @IsOptional()
  @IsISO8601({ strict: true })
  @Matches(/^\d{4}-\d{2}-\d{2}/)
  to?: string;
  @IsOptional() @IsIn(USAGE_GROUPS) group_by?: UsageGroup;
}

@Controller('ai-analytics')
export class AnalyticsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly reports: UsageReports,
  ) {}

  /** Usage by one dimension; `from` is inclusive, `to` exclusive, a day without a time is its midnight in UTC. */
  @Get('usage')
  @Authorize('read', 'Analytics')
  usage(@CurrentPrincipal() { tenantId }: Principal, @Query() query: UsageQuery): Promise<UsageReport> {
    const to = query.to ? new Date(query.to) : new Date(Date.now() + DAY_MS);
    const from = query.from ? new Date(query.from) : new Date(to.getTime() - DEFAULT_DAYS * DAY_MS);
    const days = (to.getTime() - from.getTime()) / DAY_MS;
    if (!(days > 0 && days <= MAX_DAYS)) {
      throw new InvalidInputError([
        { path: 'from', message: `must be before "to", and at most ${MAX_DAYS} days` },
      ]);
    }
    return this.tenants.transaction(tenantId, (em) =>
      this.reports.usage(em, tenantId, from, to, query.group_by ?? 'day'),
    );
  }
}
