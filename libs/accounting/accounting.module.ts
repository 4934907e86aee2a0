import { Global, Module } from '@nestjs/common';
import { Budgets } from './budgets/budgets.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { Holds } from './budgets/holds.js';
import { SettlementQueue } from './budgets/settlement-queue.js';
import { PriceBook } from './pricing/price-book.js';
import { AiSettingsController } from './settings/ai-settings.controller.js';

/** Prices, budgets, holds and the ledger. */
@Global()
@Module({
  controllers: [AiSettingsController, BudgetsController],
  providers: [Budgets, Holds, PriceBook, SettlementQueue],
  exports: [Budgets, Holds, PriceBook, SettlementQueue],
})
export class AccountingModule {}
