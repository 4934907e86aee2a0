import { Inject, Injectable } from '@nestjs/common';
import { LedgerMonths, LedgerRollUps } from '#libs/accounting';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { EachTenant } from './each-tenant.js';
import {
  DAY_MS,
  MINUTE_MS,
  type KeepOn,
  type MaintenanceJob,
  type MaintenanceResult,
} from './maintenance-job.js';

/** Adds what the ledger has got since to the daily sums that reports read. */
@Injectable()
export class RollUpLedger implements MaintenanceJob {
  readonly name = 'roll_up_ledger';
  readonly everyMs = MINUTE_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    private readonly eachTenant: EachTenant,
    private readonly rollUps: LedgerRollUps,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const result = { rows: 0, mended: Number(await this.rollUps.mendPositions()) };
    for await (const tenantId of this.eachTenant.ids(keepOn)) {
      for (let more = true; more; await keepOn()) {
        const batch = await this.rollUps.rollUp(tenantId);
        result.rows += batch.rows;
        more = batch.more;
      }
    }
    return result;
  }
}

/** Drops the months of the ledger that the operator keeps no longer; none unless that is set. */
@Injectable()
export class DropOldLedgerMonths implements MaintenanceJob {
  readonly name = 'drop_old_ledger_months';
  readonly everyMs = DAY_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    private readonly months: LedgerMonths,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const { ledgerRetentionMonths: keep } = this.options;
    let dropped = 0;
    while (keep !== undefined && (await this.months.dropOldest(keep))) {
      dropped += 1;
      await keepOn();
    }
    return { dropped };
  }
}
