import { IsInt, IsObject, IsOptional, IsString, Length, Matches, ValidateIf } from 'class-validator';
import type { GivenPrice } from './own-price.js';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** `null` says that there is no price; the amounts themselves are checked with the whole price. */
const IfNumber = (key: string): PropertyDecorator =>
  ValidateIf((body: Record<string, unknown>) => body[key] != null);

/** A tenant's own price. Amounts in whole nano-USD (1e-9 USD) for one token, or for one use of a tool. */
export class PutModelPriceDto implements GivenPrice {
  @IsString() @Length(1, 100) provider: string;
  @IsString() @Length(1, 200) model: string;
  /** The first day (UTC) that it applies on; today if left out. */
  @IsOptional() @Matches(DAY, { message: 'must be a day as YYYY-MM-DD' }) effective_from?: string;
  /** Tokens. */
  @IsOptional() @IsInt() context_window?: number;
  @IfNumber('input') @IsInt() input?: number | null;
  @IfNumber('cache_read') @IsInt() cache_read?: number | null;
  @IfNumber('cache_write_5m') @IsInt() cache_write_5m?: number | null;
  @IfNumber('cache_write_1h') @IsInt() cache_write_1h?: number | null;
  @IfNumber('output') @IsInt() output?: number | null;
  /** `{above_input_tokens, input, cache_read, …}` */
  @IsOptional() @IsObject() long_context?: Record<string, number | null>;
  /** Fees by tool: `{"web_search_per_call": 10000000}`. */
  @IsOptional() @IsObject() tools?: Record<string, number | null>;
}

/** Names one of the tenant's own prices. */
export class DeleteModelPriceQuery {
  @IsString() @Length(1, 100) provider: string;
  @IsString() @Length(1, 200) model: string;
  @Matches(DAY, { message: 'must be a day as YYYY-MM-DD' }) effective_from: string;
}
