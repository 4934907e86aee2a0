export { AccountingModule } from './accounting.module.js';
export { ACCOUNTING_OPTIONS, type AccountingOptions } from './accounting.options.js';
export {
  BLOCKED_JOBS,
  type BlockedJobs,
  type BudgetKey,
  type RetriedBlocked,
} from './budgets/blocked-jobs.js';
export { budgetRefusal } from './budgets/budget-refusal.js';
export { BUDGET_SCOPES, TENANT_SCOPE_ID, type BudgetScope } from './budgets/budget-scope.js';
export { Budgets, type BudgetView } from './budgets/budgets.js';
export { HoldReconciler, type BudgetDrift, type Reconciliation } from './budgets/hold-reconciler.js';
export { FieldDefault } from './budgets/field-default.js';
export { HoldRequests, type CallId, type CallSubject, type HoldRequest } from './budgets/hold-requests.js';
export { Holds, type HoldVerdict } from './budgets/holds.js';
export { DEFAULT_MODELS, type DefaultModels } from './settings/default-models.js';
export { SettlementQueue } from './budgets/settlement-queue.js';
export { recordFreeResult, type FreeResult } from './ledger/free-rows.js';
export { LedgerMonths } from './ledger/ledger-months.js';
export { LedgerRollUps } from './ledger/ledger-roll-ups.js';
export { settlementRow, type CallSettlement, type SettledUsage } from './ledger/settlement.js';
export { costOf, holdAmount, type HoldBounds } from './pricing/cost.js';
export { PriceBook } from './pricing/price-book.js';
export type { Price, TokenUsageLike } from './pricing/price.js';
