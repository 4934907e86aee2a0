import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { briefError } from '#libs/common';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { MINUTE_MS, type MaintenanceJob } from './maintenance-job.js';
import { Maintenance } from './maintenance.js';

/**
 * Looks again and again for maintenance that is due. What must be soon (the sweep of dead workers' jobs) never waits for
 * what takes its time; of that, one job at a time runs in a process.
 */
@Injectable()
export class MaintenanceSchedule implements BeforeApplicationShutdown {
  private readonly logger = new Logger(MaintenanceSchedule.name);
  private readonly running = new Map<readonly MaintenanceJob[], Promise<void>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly maintenance: Maintenance,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
  ) {}

  start(): void {
    const jobs = this.maintenance.jobs.filter(({ everyMs }) => everyMs !== null);
    const tracks = [jobs.filter(isUrgent), jobs.filter((job) => !isUrgent(job))];
    this.timer = setInterval(() => tracks.forEach((track) => this.look(track)), this.options.sweepIntervalMs);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.maintenance.stop();
    await Promise.all(this.running.values());
  }

  private look(track: readonly MaintenanceJob[]): void {
    if (this.running.has(track)) return;
    const run = this.maintenance
      .runDue(track)
      .then(
        () => undefined,
        (error: unknown) => this.logger.warn(`Maintenance is tried again: ${briefError(error)}`),
      )
      .finally(() => this.running.delete(track));
    this.running.set(track, run);
  }
}

function isUrgent({ everyMs }: MaintenanceJob): boolean {
  return everyMs !== null && everyMs < MINUTE_MS;
}
