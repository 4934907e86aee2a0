import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';

export class PutProviderKeyDto {
  @IsString()
  @MaxLength(1000)
  api_key: string;

  @IsOptional()
  @IsString()
  @MaxLength(2000)
  base_url?: string;

  /** Most calls at once with this key; null or left out for any number. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  max_concurrency?: number | null;
}
