import { IsNumber, Max, Min } from 'class-validator';

/** The most a limit may be: a billion dollars. */
export const MAX_LIMIT_CENTS = 100_000_000_000;

export class PutBudgetDto {
  @IsNumber({ allowNaN: false, allowInfinity: false, maxDecimalPlaces: 7 })
  @Min(0)
  @Max(MAX_LIMIT_CENTS)
  limit_cents: number;
}
