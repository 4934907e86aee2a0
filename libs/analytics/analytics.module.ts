import { Module } from '@nestjs/common';
import { AnalyticsController } from './analytics.controller.js';
import { CostReports } from './cost-report.js';
import { PerformanceReports } from './performance-report.js';
import { ShownReports } from './shown-reports.js';
import { UsageReports } from './usage-report.js';

const REPORTS = [UsageReports, CostReports, PerformanceReports];

/** Reports on usage, costs and performance; reads only. */
@Module({ controllers: [AnalyticsController], providers: [...REPORTS, ShownReports], exports: REPORTS })
export class AnalyticsModule {}
