import { IsIn, IsOptional } from 'class-validator';

export class ImportQueryDto {
  /** Whether the AI fields of the new records are queued; default false. */
  @IsOptional()
  @IsIn(['true', 'false'])
  generate?: 'true' | 'false';
}
