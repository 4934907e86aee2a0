import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { loggableError, NotFoundError, type Json } from '#libs/common';
import { LANE, PROCESSING_OPTIONS, type Priority, type ProcessingOptions } from '#libs/processing';
import { TenantTransactions } from '#libs/tenants';
import { GenerationQueue } from '../generation/enqueue-due.js';
import { RunRecords, type RunPage } from './run-records.js';
import type { RunScope } from './run-request.js';

/** A run that somebody queues. `owner` names whose turn it is, so that one who was too slow finds it taken. */
export interface QueueingRun {
  tenantId: string;
  id: string;
  owner: string;
}

interface RunRow {
  pipeline_id: string;
  field: string;
  scope: RunScope;
  filter: Record<string, Json> | null;
  record_limit: number | null;
  priority: Priority | null;
  cursor: string | null;
  total: number;
  principal_id: string;
}

interface Progress {
  total: number;
  /** Whether there is nothing left to do for this owner. */
  done: boolean;
}

/** Locked until the page commits: nobody takes the run over meanwhile, and a stop comes before the page or after it. */
const OPEN = `
  SELECT pipeline_id, field, scope, filter, record_limit, priority, cursor, total, principal_id FROM ai_runs
   WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND queueing FOR UPDATE`;
const ADVANCE = `
  UPDATE ai_runs SET total = $3, cursor = $4, queueing = $4::text IS NOT NULL,
    lease_until = clock_timestamp() + make_interval(secs => $5::float8 / 1000)
   WHERE tenant_id = $1 AND id = $2`;
const COUNT_IN = `
  INSERT INTO ai_run_jobs (tenant_id, run_id, job_id) SELECT $1, $2, j FROM unnest($3::uuid[]) j`;
const GIVE_BACK = `
  UPDATE ai_runs SET lease_until = clock_timestamp()
   WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND queueing`;
const GIVE_UP = `
  UPDATE ai_runs SET queueing = false, stopped_at = coalesce(stopped_at, now())
   WHERE tenant_id = $1 AND id = $2 AND lease_owner = $3 AND queueing`;

/**
 * Makes the jobs of a run, page by page. The jobs of a page and the place behind it commit together, so that whoever
 * goes on after a crash neither misses a record nor takes one twice.
 */
@Injectable()
export class RunFiller implements BeforeApplicationShutdown {
  private readonly logger = new Logger(RunFiller.name);
  private readonly filling = new Set<Promise<unknown>>();
  private closing = false;

  constructor(
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly tenants: TenantTransactions,
    private readonly records: RunRecords,
    private readonly queue: GenerationQueue,
  ) {}

  /** Whether this process goes down and takes no run any more. */
  get isClosing(): boolean {
    return this.closing;
  }

  /** Lets the pages in hand end. One that takes too long is rolled back, and queued anew by whoever takes the run over. */
  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    const late = wait(this.options.drainMs, undefined, { ref: false });
    await Promise.race([Promise.allSettled(this.filling), late]);
  }

  /**
   * Queues until the run has all its records, is stopped, belongs to somebody else, or this process goes down. A run whose
   * pipeline or field has gone is stopped.
   *
   * @param enough after how many records to return; the rest is queued meanwhile. Default all.
   * @returns how many records the run has queued so far.
   */
  async fill(run: QueueingRun, enough = Number.MAX_SAFE_INTEGER): Promise<number> {
    const { total, done } = await this.tracked(this.pages(run, enough));
    if (!done) void this.tracked(this.goOn(run));
    return total;
  }

  private async tracked<T>(filling: Promise<T>): Promise<T> {
    this.filling.add(filling);
    try {
      return await filling;
    } finally {
      this.filling.delete(filling);
    }
  }

  /** Nobody waits for it: what fails is left to whoever takes the run over. */
  private async goOn(run: QueueingRun): Promise<void> {
    try {
      await this.pages(run, Number.MAX_SAFE_INTEGER);
    } catch (error) {
      this.logger.error({
        message: 'a run could not be queued whole, a worker goes on with it',
        run_id: run.id,
        tenant_id: run.tenantId,
        err: loggableError(error),
      });
    }
  }

  private async pages(run: QueueingRun, enough: number): Promise<Progress> {
    let total = 0;
    try {
      while (!this.closing) {
        const progress = await this.tenants.transaction(run.tenantId, (em) => this.nextPage(em, run));
        if (!progress) return { total, done: true };
        if (progress.done || progress.total >= enough) return progress;
        total = progress.total;
      }
      await this.change(GIVE_BACK, run);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      await this.change(GIVE_UP, run);
    }
    return { total, done: true };
  }

  /** @returns undefined where the run is not this owner's to queue any more. */
  private async nextPage(em: EntityManager, run: QueueingRun): Promise<Progress | undefined> {
    const [row] = await em.query<RunRow[]>(OPEN, [run.tenantId, run.id, run.owner]);
    if (!row) return undefined;
    const request = {
      pipelineId: row.pipeline_id,
      field: row.field,
      scope: row.scope,
      filter: row.filter ?? undefined,
    };
    const left = (row.record_limit ?? Number.MAX_SAFE_INTEGER) - row.total;
    const page = await this.records.page(em, run.tenantId, request, row.cursor ?? undefined, left);
    await this.enqueue(em, run, row, page);
    const total = row.total + page.records.length;
    const cursor = page.next ?? null;
    await em.query(ADVANCE, [run.tenantId, run.id, total, cursor, this.options.leaseMs]);
    return { total, done: cursor === null };
  }

  private async enqueue(
    em: EntityManager,
    { tenantId, id }: QueueingRun,
    { field, principal_id: principalId, priority }: RunRow,
    { compiled, records }: RunPage,
  ): Promise<void> {
    if (records.length === 0) return;
    const shared = { origin: 'backfill', principalId, lane: LANE.backfill, runId: id } as const;
    const cause = { ...shared, priority: priority ?? undefined };
    const wanted = records.map((record) => ({ recordId: record.id, field, cause }));
    const jobs = await this.queue.enqueue(em, tenantId, compiled, wanted);
    await em.query(COUNT_IN, [tenantId, id, jobs]);
  }

  private async change(sql: string, { tenantId, id, owner }: QueueingRun): Promise<void> {
    await this.tenants.transaction(tenantId, (em) => em.query(sql, [tenantId, id, owner]));
  }
}
