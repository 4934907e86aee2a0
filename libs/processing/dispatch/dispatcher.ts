import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { briefError } from '#libs/common';
import { Wakeups } from '#libs/events';
import { DELIVERY, type Delivery } from '../delivery/delivery.js';
import { LANE, type JobHint, type Lane } from '../jobs/job.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';
import { JobMetrics } from '../telemetry/job-metrics.js';

/** The dispatcher looks by itself this often, for wake-ups that were lost. */
const MAX_SLEEP_MS = 1_000;
/** From this many woken tenants on, one pass over all is cheaper than a look at each. */
const MANY_TENANTS = 4;
/**
 * Jobs of one tenant in a row: jobs of one tenant that run side by side wait for each other at its budgets. Where room is
 * left, a second turn is longer.
 */
const FIRST_TURN = 2;
const LONGER = 8;

interface Row {
  tenant_id: string;
  id: string;
}

/**
 * Hands due jobs to delivery: the tenants that were just woken at once, everybody else in turn from a cursor, nobody
 * above its window. Between passes it sleeps until the nearest job is due.
 */
@Injectable()
export class Dispatcher implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Dispatcher.name);
  private woken = new Set<string>();
  private readonly cursor: Record<Lane, string> = { 0: '', 1: '' };
  /** Whether a lane may have due jobs that were not handed out. */
  private readonly more: Record<Lane, boolean> = { 0: true, 1: true };
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private handingWoken: Promise<void> | undefined;
  private again = false;
  private stopped = false;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(DELIVERY) private readonly delivery: Delivery,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly wakeups: Wakeups,
    private readonly metrics: JobMetrics,
  ) {}

  start(): void {
    this.unsubscribe = this.wakeups.subscribe('jobs', (tenantId) => {
      this.woken.add(tenantId);
      this.handingWoken ??= this.handOutWoken().finally(() => (this.handingWoken = undefined));
    });
    this.lookAround();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.unsubscribe?.();
    clearTimeout(this.timer);
    await Promise.all([this.running, this.handingWoken]);
  }

  /** There is room for more: hands out what did not fit before. */
  onRoom(): void {
    this.lookAround();
  }

  /** Hints that this process will not work on: their jobs are due again. */
  async giveBack(hints: readonly JobHint[]): Promise<void> {
    await this.takeBack(hints.map(({ tenantId, jobId }) => ({ tenant_id: tenantId, id: jobId }))).catch(
      (error: unknown) =>
        this.logger.warn(`What was handed out stays so until its time runs out: ${briefError(error)}`),
    );
  }

  /** What was delivered and not claimed may be lost: all of it is handed out again. */
  async onLost(): Promise<void> {
    if (this.stopped) return;
    await this.takeBack(null).catch((error: unknown) =>
      this.logger.warn(`What was handed out stays so until its time runs out: ${String(error)}`),
    );
    this.lookAround();
  }

  /** Looks at all tenants, not just at those that were woken. */
  private lookAround(): void {
    this.more[LANE.interactive] = true;
    this.more[LANE.backfill] = true;
    this.look();
  }

  private look(): void {
    if (this.stopped) return;
    this.again = true;
    this.running ??= this.passes().finally(() => (this.running = undefined));
  }

  private async passes(): Promise<void> {
    clearTimeout(this.timer);
    let sleepMs = MAX_SLEEP_MS;
    try {
      while (this.again && !this.stopped) {
        this.again = false;
        await this.pass();
        // Asked within the loop: a wake-up that comes meanwhile starts another pass instead of being slept over.
        if (!this.again) sleepMs = await this.untilNextDue();
      }
    } catch (error) {
      if (!this.stopped) this.logger.warn(`Jobs wait, the dispatcher tries again: ${briefError(error)}`);
    }
    if (!this.stopped) this.timer = setTimeout(() => this.lookAround(), sleepMs);
  }

  /**
   * Hands out what tenants have that were just woken, without waiting for a pass over all that may be under way, and also
   * where others have more than there is room for: an edit is among the next that are worked on.
   */
  private async handOutWoken(): Promise<void> {
    while (this.woken.size > 0 && !this.stopped) {
      const tenants = this.woken;
      this.woken = new Set();
      this.more[LANE.backfill] = true;
      if (tenants.size >= MANY_TENANTS) this.more[LANE.interactive] = true;
      else await this.handOutTo(tenants);
      this.look();
    }
  }

  private async handOutTo(tenants: ReadonlySet<string>): Promise<void> {
    try {
      for (const only of tenants)
        await this.handOut(LANE.interactive, this.delivery.room(LANE.interactive), { only });
    } catch (error) {
      this.more[LANE.interactive] = true;
      this.logger.warn(`Jobs wait, the dispatcher tries again: ${briefError(error)}`);
    }
  }

  private async pass(): Promise<void> {
    this.metrics.dispatched();
    for (const lane of [LANE.interactive, LANE.backfill]) {
      if (this.more[lane]) await this.handOutAll(lane);
    }
  }

  /** One turn over all tenants, from where the last one stopped. */
  private async handOutAll(lane: Lane): Promise<void> {
    if (!this.delivery.isLow(lane)) return;
    let room = this.delivery.room(lane);
    for (let turn = FIRST_TURN; room > 0; turn *= LONGER) {
      const handed = await this.turn(lane, turn, room);
      room -= handed.length;
      if (!someoneHasMore(handed, turn)) break;
    }
    this.more[lane] = room <= 0;
  }

  /** Once around all tenants, from where the last turn stopped. */
  private async turn(lane: Lane, turn: number, room: number): Promise<Row[]> {
    const start = this.cursor[lane];
    const first = await this.handOut(lane, room, { after: start, turn });
    const around = start !== '' && first.length < room;
    const second = around ? await this.handOut(lane, room - first.length, { turn }) : [];
    const rows = [...first, ...second];
    this.cursor[lane] = rows.length >= room ? lastTenant(around ? second : first) : '';
    return rows;
  }

  private async handOut(
    lane: Lane,
    room: number,
    { only, after = '', turn = 0 }: { only?: string; after?: string; turn?: number },
  ): Promise<Row[]> {
    if (room === 0) return [];
    const rows = await this.dataSource.query<Row[]>(
      'SELECT * FROM ai_dispatch_jobs($1, $2, $3, $4, $5, $6, $7)',
      [lane, room, this.options.tenantWindow, turn, after, only ?? null, this.options.leaseMs],
    );
    if (rows.length > 0) await this.deliver(lane, rows);
    return rows;
  }

  /** Jobs that could not be delivered wait for the next pass, not for the end of their hand-over. */
  private async deliver(lane: Lane, rows: Row[]): Promise<void> {
    try {
      await this.delivery.deliver(lane, rows.map(toHint));
    } catch (error) {
      await this.takeBack(rows);
      throw error;
    }
  }

  /** Ends the hand-over of these jobs, or of all. */
  private async takeBack(rows: Row[] | null): Promise<void> {
    await this.dataSource.query('SELECT ai_take_back_jobs($1)', [rows && JSON.stringify(rows)]);
  }

  private async untilNextDue(): Promise<number> {
    const [row] = await this.dataSource.query<{ wait: number | null }[]>(
      `SELECT (extract(epoch FROM ai_next_due() - clock_timestamp()) * 1000)::float8 AS wait`,
    );
    const wait = row?.wait ?? MAX_SLEEP_MS;
    return wait <= 0 ? MAX_SLEEP_MS : Math.min(MAX_SLEEP_MS, Math.ceil(wait));
  }
}

function toHint(row: Row): JobHint {
  return { tenantId: row.tenant_id, jobId: row.id };
}

/** Whether a tenant got a full turn, and so may have more jobs that are due. */
function someoneHasMore(rows: readonly Row[], turn: number): boolean {
  const counts = new Map<string, number>();
  for (const { tenant_id: tenant } of rows) {
    const count = (counts.get(tenant) ?? 0) + 1;
    if (count >= turn) return true;
    counts.set(tenant, count);
  }
  return false;
}

/** Rows come in the order of tenants, as the database compares them. */
function lastTenant(rows: readonly Row[]): string {
  return rows.at(-1)?.tenant_id ?? '';
}
