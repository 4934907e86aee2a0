import { Type } from 'class-transformer';
import { IsBoolean, IsIn, IsInt, IsObject, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import type { Json } from '#libs/common';
import { PRIORITIES, type Priority } from '#libs/processing';
import { RUN_SCOPES, type RunScope } from '../runs/run-request.js';

export class DraftFieldDto {
  @IsString() @MaxLength(100) pipeline_id: string;
  @IsObject() ai_config: Record<string, Json>;
  /** The field that is being configured, where it exists already. */
  @IsOptional() @IsString() @MaxLength(100) field?: string;
  @IsOptional() @IsString() @MaxLength(100) record_id?: string;
}

export class GenerateDto {
  @IsOptional() @IsBoolean() force?: boolean;
  @IsOptional() @IsIn(PRIORITIES) priority?: Priority;
}

export class GenerateManyDto {
  @IsIn(RUN_SCOPES) scope: RunScope;
  @IsOptional() @IsObject() filter?: Record<string, Json> | null;
  @IsOptional() @IsInt() @Min(1) limit?: number | null;
  @IsOptional() @IsBoolean() dry_run?: boolean;
  @IsOptional() @IsIn(PRIORITIES) priority?: Priority | null;
}

export class FeedbackDto {
  @IsIn(['none', 'thumbs_up', 'thumbs_down']) feedback: string;
  @IsOptional() @IsString() @MaxLength(2000) comment?: string;
}

/** Items of one page of a history, unless fewer are asked for. */
export const MAX_HISTORY = 200;

export class HistoryQuery {
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(MAX_HISTORY) limit?: number;
  @IsOptional() @IsString() @MaxLength(200) cursor?: string;
}

export class RestoreDto {
  @IsString() @MaxLength(100) execution_id: string;
}
