import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Counter } from 'prom-client';
import { FieldsmithError, loggableError, Metrics } from '#libs/common';
import { KeptLease } from './kept-lease.js';
import {
  MAINTENANCE_JOBS,
  MaintenanceEnded,
  MaintenanceIncomplete,
  MINUTE_MS,
  type MaintenanceJob,
  type MaintenanceResult,
} from './maintenance-job.js';
import { MaintenanceLeases, type MaintenanceOutcome, type MaintenanceRun } from './maintenance-leases.js';

/** What a run came to. */
export interface MaintenanceReport {
  job: string;
  outcome: MaintenanceOutcome;
  duration_ms: number;
  result: MaintenanceResult;
}

/** Milliseconds that a command waits for a run of another process, and between its looks. */
const BUSY_MS = 10_000;
const LOOK_MS = 100;

/** Runs the jobs of the maintenance, each in one process at a time, wherever it is asked for. */
@Injectable()
export class Maintenance {
  private readonly logger = new Logger(Maintenance.name);
  private readonly runs: Counter<'job' | 'outcome'>;
  private stopping = false;

  constructor(
    @Inject(MAINTENANCE_JOBS) readonly jobs: readonly MaintenanceJob[],
    private readonly leases: MaintenanceLeases,
    metrics: Metrics,
  ) {
    this.runs = new Counter({
      name: 'fieldsmith_maintenance_runs_total',
      help: 'Runs of maintenance jobs in this process, by job and outcome.',
      labelNames: ['job', 'outcome'],
      registers: [metrics],
    });
  }

  /** Ends the runs of this process at their next batch; what is left is anybody's at once. */
  stop(): void {
    this.stopping = true;
  }

  /** Runs the one of these jobs that is due and that nobody runs. @returns undefined where there is none. */
  async runDue(jobs: readonly MaintenanceJob[]): Promise<MaintenanceReport | undefined> {
    const run = await this.leases.claim(jobs, { forced: false });
    return run && this.work(run);
  }

  /**
   * Runs a job now, due or not; where another process runs it, after that.
   *
   * @throws FieldsmithError `unknown_maintenance_job` naming those there are, or `maintenance_busy`.
   */
  async runNow(name: string): Promise<MaintenanceReport> {
    const job = this.job(name);
    for (const late = Date.now() + BUSY_MS; ; await wait(LOOK_MS)) {
      const run = await this.leases.claim([job], { forced: true });
      if (run) return this.work(run);
      if (Date.now() > late) {
        const message = `Another process has been running ${name} for a while: wait until it is done.`;
        throw new FieldsmithError('maintenance_busy', message, { status: 409 });
      }
    }
  }

  private job(name: string): MaintenanceJob {
    const job = this.jobs.find((one) => one.name === name);
    if (job) return job;
    const names = this.jobs.map((one) => one.name).join(', ');
    throw new FieldsmithError('unknown_maintenance_job', `There is no job "${name}"; there are: ${names}.`);
  }

  private async work(run: MaintenanceRun): Promise<MaintenanceReport> {
    const job = this.job(run.name);
    const started = performance.now();
    const { outcome, result } = await this.attempt(job, run);
    const report = { job: job.name, outcome, duration_ms: Math.round(performance.now() - started), result };
    await this.leases.end(run, outcome, result, nextMs(job, outcome));
    this.runs.inc({ job: job.name, outcome });
    this.tell(report);
    return report;
  }

  private async attempt(
    job: MaintenanceJob,
    run: MaintenanceRun,
  ): Promise<{ outcome: MaintenanceOutcome; result: MaintenanceResult }> {
    const lease = new KeptLease(job.leaseMs, () => this.leases.renew(run, job.leaseMs));
    try {
      return { outcome: 'completed', result: await job.run(() => this.keepOn(lease)) };
    } catch (error) {
      if (error instanceof MaintenanceEnded) return { outcome: 'interrupted', result: {} };
      this.logger.error({ message: 'maintenance failed', job: job.name, err: loggableError(error) });
      return { outcome: 'failed', result: error instanceof MaintenanceIncomplete ? error.result : {} };
    } finally {
      lease.letGo();
    }
  }

  private async keepOn(lease: KeptLease): Promise<void> {
    if (this.stopping) throw new MaintenanceEnded('The process stops.');
    await lease.expect();
  }

  /** A run that found nothing to do is no news. */
  private tell({ job, outcome, duration_ms, result }: MaintenanceReport): void {
    const line = { message: `maintenance ${outcome}`, job, duration_ms, ...result };
    if (Object.values(result).some((count) => count > 0)) this.logger.log(line);
    else this.logger.debug(line);
  }
}

function nextMs(job: MaintenanceJob, outcome: MaintenanceOutcome): number {
  if (outcome === 'interrupted') return 0;
  // Where it runs on command only, no schedule asks.
  const everyMs = job.everyMs ?? 0;
  return outcome === 'failed' ? Math.min(everyMs, MINUTE_MS) : everyMs;
}
