import { Inject, Injectable } from '@nestjs/common';
import { centsToNano } from '#libs/common';
import { ACCOUNTING_OPTIONS, type AccountingOptions } from '../accounting.options.js';

/** The monthly limit of AI fields that have none of their own. */
@Injectable()
export class FieldDefault {
  /** Nano-USD; undefined where the operator has set none. */
  readonly nano: bigint | undefined;
  /** The same as a parameter of a statement. */
  readonly parameter: string | null;

  constructor(@Inject(ACCOUNTING_OPTIONS) { defaultFieldBudgetCents: cents }: AccountingOptions) {
    this.nano = cents === undefined ? undefined : centsToNano(cents);
    this.parameter = this.nano?.toString() ?? null;
  }
}
