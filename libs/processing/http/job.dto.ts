import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsInstant } from '#libs/common';

const STATUSES = ['pending', 'processing', 'completed', 'failed', 'cancelled'];

export class ListJobsQuery {
  @IsOptional() @IsIn(STATUSES) status?: string;
  @IsOptional() @IsString() @MaxLength(100) field?: string;
  @IsOptional() @IsString() @MaxLength(100) pipeline_id?: string;
  @IsOptional() @IsString() @MaxLength(100) record_id?: string;
  @IsOptional() @IsString() @MaxLength(100) job_type?: string;
  /** 403 `field_not_visible` for who does not see every field: being found by it would tell of those. */
  @IsOptional() @IsString() @MaxLength(100) error_code?: string;
  @IsOptional() @IsUUID() run_id?: string;
  @IsOptional()
  @IsInstant()
  from?: string;
  @IsOptional()
  @IsInstant()
  to?: string;
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
  @IsOptional() @IsString() @MaxLength(200) cursor?: string;
}

export class BulkRetryFilter {
  @IsOptional() @IsIn(['failed', 'cancelled']) status?: string;
  @IsOptional() @IsString() @MaxLength(100) error_code?: string;
  @IsOptional() @IsString() @MaxLength(100) field?: string;
  @IsOptional() @IsString() @MaxLength(100) pipeline_id?: string;
}

export class BulkRetryDto {
  @IsOptional() @IsArray() @ArrayMaxSize(1000) @IsUUID(undefined, { each: true }) ids?: string[];
  @IsOptional() @ValidateNested() @Type(() => BulkRetryFilter) filter?: BulkRetryFilter;
}
