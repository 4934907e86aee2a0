import { Injectable } from '@nestjs/common';
import { SettlementQueue } from '#libs/accounting';
import { MaintenanceSchedule } from '../maintenance/maintenance-schedule.js';
import { Dispatcher } from './dispatcher.js';
import { Heartbeat, type BeatingWorker } from './heartbeat.js';

/** What a worker process runs besides the jobs themselves. */
@Injectable()
export class WorkerLoops {
  constructor(
    readonly dispatcher: Dispatcher,
    private readonly heartbeat: Heartbeat,
    private readonly maintenance: MaintenanceSchedule,
    private readonly settlements: SettlementQueue,
  ) {}

  start(worker: BeatingWorker): void {
    this.heartbeat.start(worker);
    this.dispatcher.start();
    this.maintenance.start();
    this.settlements.start();
  }

  /** The last of the worker's jobs has ended; the loops themselves stop with the application. */
  async drained(): Promise<void> {
    await this.heartbeat.stop();
  }
}
