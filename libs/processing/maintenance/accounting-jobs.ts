import { Injectable } from '@nestjs/common';
import { HoldReconciler, LedgerMonths } from '#libs/accounting';
import { EachTenant } from './each-tenant.js';
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  type KeepOn,
  type MaintenanceJob,
  type MaintenanceResult,
} from './maintenance-job.js';

/** Makes the partitions of the ledger for the months ahead. */
@Injectable()
export class EnsureLedgerMonths implements MaintenanceJob {
  readonly name = 'ensure_ledger_months';
  readonly everyMs = DAY_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(private readonly months: LedgerMonths) {}

  async run(): Promise<MaintenanceResult> {
    return { made: await this.months.ensure() };
  }
}

/** Compares the budgets with the holds and the ledger, and mends held sums that nothing holds. */
@Injectable()
export class ReconcileHolds implements MaintenanceJob {
  readonly name = 'reconcile_holds';
  readonly everyMs = HOUR_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    private readonly eachTenant: EachTenant,
    private readonly reconciler: HoldReconciler,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const result = { drifts: 0, repaired: 0 };
    for await (const tenantId of this.eachTenant.ids(keepOn)) {
      const { drifts, repaired } = await this.reconciler.reconcile(tenantId);
      result.drifts += drifts.length;
      result.repaired += repaired;
    }
    return result;
  }
}
