import { IsCents } from '#libs/common';

export class PutBudgetDto {
  @IsCents()
  limit_cents: number;
}
