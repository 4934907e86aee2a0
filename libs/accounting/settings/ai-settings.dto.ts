import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNumber,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateIf,
} from 'class-validator';
import { IsCents } from '#libs/common';

/** Present: checked; absent: left as it is. `null` is a value of its own, allowed only where said. */
const IfGiven = (key: string): PropertyDecorator =>
  ValidateIf((body: Record<string, unknown>) => body[key] !== undefined);
const IfGivenNotNull = (key: string): PropertyDecorator =>
  ValidateIf((body: Record<string, unknown>) => body[key] != null);

export class PatchAiSettingsDto {
  @IfGiven('default_model')
  @IsString()
  @Length(1, 200)
  default_model?: string;

  @IfGivenNotNull('default_temperature')
  @IsNumber()
  @Min(0)
  @Max(2)
  default_temperature?: number | null;

  @IfGiven('default_max_tokens')
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  default_max_tokens?: number;

  @IfGiven('enable_tools')
  @IsBoolean()
  enable_tools?: boolean;

  /** Cents a month for the whole tenant; `null` takes the limit away. */
  @IfGivenNotNull('monthly_budget_cents')
  @IsCents()
  monthly_budget_cents?: number | null;

  @IfGiven('denied_fields')
  @IsArray()
  @ArrayMaxSize(500)
  @IsString({ each: true })
  @Matches(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, { each: true, message: 'each must be a field slug' })
  denied_fields?: string[];

  @IfGiven('content_retention_days')
  @IsInt()
  @Min(1)
  @Max(3650)
  content_retention_days?: number;

  /** `false` forbids the fallback to the host's provider keys. */
  @IfGiven('allow_global_keys')
  @IsBoolean()
  allow_global_keys?: boolean;
}
