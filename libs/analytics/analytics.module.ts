import { Module } from '@nestjs/common';
import { AnalyticsController } from './analytics.controller.js';
import { UsageReports } from './usage-report.js';

/** Reports on usage and costs; reads only. */
@Module({ controllers: [AnalyticsController], providers: [UsageReports], exports: [UsageReports] })
export class AnalyticsModule {}
