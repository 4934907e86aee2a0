import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Wakeups } from '#libs/events';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';

const LIMIT = 500;
/** Housekeeping that need not be soon is done every so many sweeps. */
const SLOW_EVERY = 60;
/** How long events are kept. */
const KEEP_EVENTS = '1 hour';

interface Swept {
  tenant_id: string;
  id: string;
  status: string;
}

/** Finds what a dead process left behind, and clears what nobody needs any more. */
@Injectable()
export class Sweeper implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<unknown> | undefined;
  private count = 0;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly wakeups: Wakeups,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.running ??= this.sweep()
        .catch((error: unknown) => this.logger.warn(`The sweep is tried again: ${String(error)}`))
        .finally(() => (this.running = undefined));
    }, this.options.sweepIntervalMs);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Gives back jobs whose lease ran out and hand-overs that nobody claimed. */
  async sweep(): Promise<void> {
    const swept = await this.dataSource.query<Swept[]>('SELECT * FROM ai_sweep_jobs($1, $2)', [
      LIMIT,
      this.options.orphanedHoldMs,
    ]);
    for (const job of swept) {
      this.logger.warn({ jobId: job.id, tenantId: job.tenant_id, status: job.status, msg: 'lease ran out' });
      this.wakeups.wake('jobs', job.tenant_id);
      this.wakeups.wake('events', job.tenant_id);
    }
    if (this.count++ % SLOW_EVERY === 0) await this.clear();
  }

  private async clear(): Promise<void> {
    await this.dataSource.query('SELECT ai_ensure_ledger_months(current_date, 3)');
    await this.dataSource.query('SELECT ai_drop_old_events($1::interval)', [KEEP_EVENTS]);
    await this.dataSource.query('SELECT ai_clear_old_work($1)', [this.options.retentionDays]);
  }
}
