import { Inject, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Wakeups } from '#libs/events';
import { TenantTransactions } from '#libs/tenants';
import { KeyLines } from '../dispatch/key-lines.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { jobLine } from '../telemetry/job-line.js';
import { JobMetrics } from '../telemetry/job-metrics.js';
import type { KeepOn, MaintenanceJob, MaintenanceResult } from './maintenance-job.js';

const BATCH = 500;
/** A worker is taken off the list after this silence; it counts as dead much sooner. */
const FORGET_WORKER_MS = 60_000;

interface Swept {
  tenant_id: string;
  id: string;
  status: string;
}

/** Gives back jobs whose lease ran out, hand-overs that nobody claimed and holds of dead workers. */
@Injectable()
export class SweepLeases implements MaintenanceJob {
  readonly name = 'sweep_leases';
  readonly leaseMs = 5_000;
  private readonly logger = new Logger(SweepLeases.name);

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly tenants: TenantTransactions,
    private readonly wakeups: Wakeups,
    private readonly metrics: JobMetrics,
    private readonly lines: KeyLines,
  ) {}

  /** Half of the interval at which the schedule looks: due at every look, whoever looks. */
  get everyMs(): number {
    return this.options.sweepIntervalMs / 2;
  }

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const workers = await this.forgetWorkers();
    for (let jobs = 0; ;) {
      await keepOn();
      const swept = await this.sweep();
      await keepOn();
      await this.lines.callAll();
      jobs += swept;
      if (swept < BATCH) return { jobs, workers };
    }
  }

  private async sweep(): Promise<number> {
    // An edit may make a job for a subject whose lost job becomes pending at the same moment: then it is done again.
    const swept = await this.tenants.system((em) =>
      em.query<Swept[]>('SELECT * FROM ai_sweep_jobs($1, $2)', [BATCH, this.options.orphanedHoldMs]),
    );
    for (const { id, tenant_id: tenantId, status } of swept) {
      this.logger.warn(jobLine({ id, tenantId }, 'the worker of this job was lost', { status }));
      this.metrics.lostWorker(status);
      this.wakeups.wake('jobs', tenantId);
      this.wakeups.wake('events', tenantId);
    }
    return swept.length;
  }

  private async forgetWorkers(): Promise<number> {
    const workers = await this.dataSource.query<{ id: string }[]>('SELECT ai_sweep_workers($1) AS id', [
      FORGET_WORKER_MS,
    ]);
    for (const { id } of workers) this.logger.warn({ message: 'a worker was lost', worker_id: id });
    return workers.length;
  }
}
