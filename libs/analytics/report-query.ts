import { IsIn, IsISO8601, IsOptional, Matches } from 'class-validator';
import { USAGE_GROUPS, type UsageGroup } from './usage-groups.js';

const DAY = /^\d{4}-\d{2}-\d{2}/;

/** The time that a report covers. */
export class RangeQuery {
  /** Inclusive; default: 30 days before `to`. */
  @IsOptional() @IsISO8601({ strict: true }) @Matches(DAY) from?: string;
  /** Exclusive; default: the end of today. */
  @IsOptional() @IsISO8601({ strict: true }) @Matches(DAY) to?: string;
}

export class UsageQuery extends RangeQuery {
  /** Default: `day`. */
  @IsOptional() @IsIn(USAGE_GROUPS) group_by?: UsageGroup;
}

export class CostsQuery extends UsageQuery {
  /** `csv` sends the items alone. */
  @IsOptional() @IsIn(['json', 'csv']) format?: 'json' | 'csv';
}
