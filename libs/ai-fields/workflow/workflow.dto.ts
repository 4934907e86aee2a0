import { Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import type { Json } from '#libs/common';
import { PRIORITIES, type Priority } from '#libs/processing';
import type { WorkflowNode } from './workflow-node.process.js';

class WorkflowOptionsDto {
  @IsOptional() @IsArray() @IsString({ each: true }) choices?: string[];
}

class WorkflowNodeDto implements WorkflowNode {
  @IsString() @Length(1, 200) node_id: string;
  @IsOptional() @IsString() @MaxLength(100) job_type?: string;
  @IsString() @Length(1, 100_000) prompt: string;
  @IsOptional() @IsString() @MaxLength(200) model?: string;
  @IsOptional() @IsString() @MaxLength(100) provider?: string;
  @IsOptional() @IsNumber() @Min(0) @Max(2) temperature?: number;
  @IsOptional() @IsInt() @Min(1) @Max(1_000_000) max_tokens?: number;
  @IsOptional() @IsString() @MaxLength(100_000) system_message?: string;
  @IsOptional() @IsString() @MaxLength(50) output_type?: string;
  @IsOptional() @IsObject() output_schema?: Record<string, Json>;
  @IsOptional() @ValidateNested() @Type(() => WorkflowOptionsDto) options?: WorkflowOptionsDto;
}

export class RunWorkflowNodeDto {
  @ValidateNested() @Type(() => WorkflowNodeDto) @IsObject() node_config: WorkflowNodeDto;
  @IsObject() workflow_context: Record<string, Json>;
  @IsString() @Length(1, 200) execution_id: string;
  /** Answer with the result instead of the job's id, if it comes within a minute. */
  @IsOptional() @IsBoolean() wait?: boolean;
  @IsOptional() @IsIn(PRIORITIES) priority?: Priority;
}
