import { IsOptional, IsString, MaxLength } from 'class-validator';

export class PutProviderKeyDto {
  @IsString()
  @MaxLength(1000)
  api_key: string;

  @IsOptional()
  @IsString()
  @MaxLength(2000)
  base_url?: string;
}
