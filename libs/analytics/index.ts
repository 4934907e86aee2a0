export { AnalyticsModule } from './analytics.module.js';
export { CostReports, type CostReport, type Spender } from './cost-report.js';
export { type MonthProjection } from './month-projection.js';
export { PerformanceReports, type ModelPerformance, type PerformanceReport } from './performance-report.js';
export { readRange, type ReportRange } from './report-range.js';
export { USAGE_GROUPS, type UsageGroup } from './usage-groups.js';
export { UsageReports, type UsageItem, type UsageReport, type UsageTotals } from './usage-report.js';
