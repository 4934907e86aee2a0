import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsISO8601,
  IsOptional,
  IsString,
  IsUUID,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';

const DAY_FIRST = /^\d{4}-\d{2}-\d{2}/;

export class AuditLogQuery {
  /** Inclusive; a day without a time is its midnight in UTC. */
  @IsOptional() @IsISO8601({ strict: true }) @Matches(DAY_FIRST) from?: string;
  /** Exclusive. */
  @IsOptional() @IsISO8601({ strict: true }) @Matches(DAY_FIRST) to?: string;
  /** Id or name of who did it. */
  @IsOptional() @IsString() @MaxLength(320) actor?: string;
  @IsOptional() @IsString() @MaxLength(100) action?: string;
  @IsOptional() @IsString() @MaxLength(100) subject?: string;
  @IsOptional() @IsString() @MaxLength(500) subject_id?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
  @IsOptional() @IsUUID() cursor?: string;
  /** `csv` sends every entry that fits, whatever `limit` and `cursor` say. */
  @IsOptional() @IsIn(['json', 'csv']) format?: 'json' | 'csv';
}
