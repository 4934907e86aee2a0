import { Injectable } from '@nestjs/common';
import { KeyRotation } from '#libs/llm';
import {
  MaintenanceIncomplete,
  type KeepOn,
  type MaintenanceJob,
  type MaintenanceResult,
} from './maintenance-job.js';

/** Seals every secret under the current master key. Whoever seals something else has it rotated here too. */
@Injectable()
export class RotateMasterKey implements MaintenanceJob {
  readonly name = 'rotate-master-key';
  readonly everyMs = null;
  /** Short, so that a run that was killed can be begun again at once; a key takes milliseconds. */
  readonly leaseMs = 5_000;

  constructor(private readonly keys: KeyRotation) {}

  /** @throws MaintenanceIncomplete where a secret cannot be opened by any known master key. */
  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const { rotated, unreadable } = await this.keys.run(keepOn);
    const result = { rotated, unreadable };
    if (unreadable === 0) return result;
    const message =
      `${unreadable} provider keys cannot be opened by MASTER_KEY or any of MASTER_KEY_PREVIOUS, see the lines above: ` +
      'add the master keys that sealed them and run this again, or let the tenants store those keys anew.';
    throw new MaintenanceIncomplete(message, result);
  }
}
