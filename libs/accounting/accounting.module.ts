import { Global, Module } from '@nestjs/common';
import { Budgets } from './budgets/budgets.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { HoldReconciler } from './budgets/hold-reconciler.js';
import { Holds } from './budgets/holds.js';
import { SettlementQueue } from './budgets/settlement-queue.js';
import { ModelPricesController } from './pricing/model-prices.controller.js';
import { LedgerMonths } from './ledger/ledger-months.js';
import { LedgerRollUps } from './ledger/ledger-roll-ups.js';
import { PriceBook } from './pricing/price-book.js';
import { AiSettingsController } from './settings/ai-settings.controller.js';

/** Prices, budgets, holds and the ledger. */
@Global()
@Module({
  controllers: [AiSettingsController, BudgetsController, ModelPricesController],
  providers: [Budgets, HoldReconciler, Holds, LedgerMonths, LedgerRollUps, PriceBook, SettlementQueue],
  exports: [Budgets, HoldReconciler, Holds, LedgerMonths, LedgerRollUps, PriceBook, SettlementQueue],
})
export class AccountingModule {}
