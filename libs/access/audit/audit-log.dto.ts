import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, IsUUID, Max, MaxLength, Min } from 'class-validator';
import { IsInstant } from '#libs/common';

export class AuditLogQuery {
  /** Inclusive; a day without a time is its midnight in UTC. */
  @IsOptional() @IsInstant() from?: string;
  /** Exclusive. */
  @IsOptional() @IsInstant() to?: string;
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
