export { AnalyticsModule } from './analytics.module.js';
export {
  USAGE_GROUPS,
  UsageReports,
  type UsageGroup,
  type UsageItem,
  type UsageReport,
} from './usage-report.js';
