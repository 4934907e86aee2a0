import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { loggableError } from '#libs/common';
import { TenantTransactions } from '#libs/tenants';
import { DELIVERY, type Delivery } from '../delivery/delivery.js';
import type { ClaimedJob, JobHint } from '../jobs/job.js';
import { JobStore } from '../jobs/job-store.js';
import { JobRunner } from '../pipeline/run-job.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { jobLine } from '../telemetry/job-line.js';
import { WorkerLoops } from './worker-loops.js';

/** Milliseconds that calls have to end by themselves once they were told to, at shutdown. */
const ABORT_MS = 2_000;

/** Works on jobs in this process: takes hints, keeps the leases of what it works on, drains at shutdown. */
@Injectable()
export class Worker implements BeforeApplicationShutdown {
  /** Names this worker on the jobs it holds. */
  readonly id = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  private readonly logger = new Logger(Worker.name);
  private readonly working = new Map<string, AbortController>();
  /** Jobs that are in hand here: a second hint of one, or a claim of it that was lost, waits for the first to end. */
  private readonly inHand = new Set<string>();

  constructor(
    @Inject(DELIVERY) private readonly delivery: Delivery,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly runner: JobRunner,
    private readonly store: JobStore,
    private readonly tenants: TenantTransactions,
    private readonly loops: WorkerLoops,
  ) {}

  async start(): Promise<void> {
    await this.delivery.start(
      (_lane, hint) => this.work(hint),
      () => this.loops.dispatcher.onRoom(),
      () => void this.loops.dispatcher.onLost(),
    );
    this.loops.start({ id: this.id, slots: this.options.concurrency, busy: () => this.working.size });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain();
    await this.loops.drained();
  }

  private async drain(): Promise<void> {
    const giveBack = (hints: JobHint[]) => this.loops.dispatcher.giveBack(hints);
    await this.delivery.stop(this.options.drainMs, giveBack);
    if (this.working.size === 0) return;
    this.logger.warn(`${this.working.size} calls did not end in time and are given up.`);
    for (const controller of this.working.values()) controller.abort();
    await this.delivery.stop(ABORT_MS, giveBack);
  }

  private async work(hint: JobHint): Promise<void> {
    const key = `${hint.tenantId}/${hint.jobId}`;
    if (this.inHand.has(key)) return;
    this.inHand.add(key);
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.runner.run(hint, this.id, (job) => {
        const controller = new AbortController();
        this.working.set(key, controller);
        timer = setInterval(() => void this.renew(job, controller), this.options.leaseMs / 3);
        return controller.signal;
      });
    } catch (error) {
      const job = { id: hint.jobId, tenantId: hint.tenantId };
      this.logger.error(jobLine(job, 'the sweep will find this job', { err: loggableError(error) }));
    } finally {
      clearInterval(timer);
      this.working.delete(key);
      this.inHand.delete(key);
    }
  }

  private async renew(job: ClaimedJob, controller: AbortController): Promise<void> {
    try {
      const renewed = await this.tenants.transaction(job.tenantId, (em) => this.store.renewLease(em, job));
      if (!renewed) controller.abort();
    } catch (error) {
      this.logger.warn(jobLine(job, 'the lease is renewed later', { err: loggableError(error) }));
    }
  }
}
