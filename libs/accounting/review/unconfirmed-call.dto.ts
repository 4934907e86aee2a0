import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsUUID, Matches, Max, Min } from 'class-validator';

export class ListUnconfirmedQuery {
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
  @IsOptional()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:\d{1,9}:\d{1,9}$/i, {
    message: 'must be the next_cursor of an earlier answer',
  })
  cursor?: string;
}

/** The id of a call. */
export class UnconfirmedCallParams {
  @IsUUID() job_id: string;
  @Type(() => Number) @IsInt() @Min(1) @Max(1_000_000_000) attempt: number;
  @Type(() => Number) @IsInt() @Min(1) @Max(1_000_000_000) n: number;
}
