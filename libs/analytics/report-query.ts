import { IsIn, IsOptional } from 'class-validator';
import { IsInstant } from '#libs/common';
import { USAGE_GROUPS, type UsageGroup } from './usage-groups.js';

/** The time that a report covers. */
export class RangeQuery {
  /** Inclusive; default: 30 days before `to`. */
  @IsOptional() @IsInstant() from?: string;
  /** Exclusive; default: the end of today. */
  @IsOptional() @IsInstant() to?: string;
}

export class UsageQuery extends RangeQuery {
  /** Default: `day`. */
  @IsOptional() @IsIn(USAGE_GROUPS) group_by?: UsageGroup;
}

export class CostsQuery extends UsageQuery {
  /** `csv` sends the items alone. */
  @IsOptional() @IsIn(['json', 'csv']) format?: 'json' | 'csv';
}
