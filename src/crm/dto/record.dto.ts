import { IsInt, IsObject, IsOptional, Min } from 'class-validator';
import type { Json } from '#libs/common';

/** Values of a new record; what they may be, the fields of the pipeline decide. */
export class NewRecordDto {
  @IsObject()
  data!: Record<string, Json>;
}

/** Values to change; `null` clears one. */
export class RecordChangesDto {
  @IsObject()
  data!: Record<string, Json>;

  /** The version that the changes were made on. Left out, the last to save wins. */
  @IsOptional()
  @IsInt()
  @Min(1)
  expected_version?: number;
}
