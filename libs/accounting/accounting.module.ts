import { Global, Module } from '@nestjs/common';
import { BudgetAlerts } from './budgets/budget-alerts.js';
import { Budgets } from './budgets/budgets.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { FieldDefault } from './budgets/field-default.js';
import { HoldReconciler } from './budgets/hold-reconciler.js';
import { HoldRequests } from './budgets/hold-requests.js';
import { Holds } from './budgets/holds.js';
import { SettlementQueue } from './budgets/settlement-queue.js';
import { ModelPricesController } from './pricing/model-prices.controller.js';
import { LedgerMonths } from './ledger/ledger-months.js';
import { LedgerRollUps } from './ledger/ledger-roll-ups.js';
import { PriceBook } from './pricing/price-book.js';
import { StoppedModelsController } from './review/stopped-models.controller.js';
import { UnconfirmedCalls } from './review/unconfirmed-calls.js';
import { UnconfirmedCallsController } from './review/unconfirmed-calls.controller.js';
import { AiSettingsController } from './settings/ai-settings.controller.js';

/**
 * Prices, budgets, holds and the ledger; expects `ACCOUNTING_OPTIONS`, `BLOCKED_JOBS` of whatever knows of jobs, and
 * `DEFAULT_MODELS` of what relies on those.
 */
@Global()
@Module({
  controllers: [
    AiSettingsController,
    BudgetsController,
    ModelPricesController,
    StoppedModelsController,
    UnconfirmedCallsController,
  ],
  providers: [
    BudgetAlerts,
    Budgets,
    FieldDefault,
    HoldReconciler,
    HoldRequests,
    Holds,
    LedgerMonths,
    LedgerRollUps,
    PriceBook,
    SettlementQueue,
    UnconfirmedCalls,
  ],
  exports: [Budgets, HoldReconciler, Holds, LedgerMonths, LedgerRollUps, PriceBook, SettlementQueue],
})
export class AccountingModule {}
