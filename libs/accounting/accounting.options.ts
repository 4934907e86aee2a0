/** What the accounting module is given by the host. */
export interface AccountingOptions {
  /**
   * Cents a month for each AI field that has no limit of its own; default: none. All processes that share a database
   * must be given the same.
   */
  defaultFieldBudgetCents?: number;
}

/** Nest token of the {@link AccountingOptions}. */
export const ACCOUNTING_OPTIONS = Symbol('ACCOUNTING_OPTIONS');
