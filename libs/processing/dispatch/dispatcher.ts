import { Inject, Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Wakeups } from '#libs/events';
import { DELIVERY, type Delivery } from '../delivery/delivery.js';
import { LANE, type JobHint, type Lane } from '../jobs/job.js';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../processing.options.js';

/** The dispatcher looks by itself this often, for wake-ups that were lost. */
const MAX_SLEEP_MS = 1_000;
/** From this many woken tenants on, one pass over all is cheaper than a look at each. */
const MANY_TENANTS = 4;

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
  private readonly woken = new Set<string>();
  private readonly cursor: Record<Lane, string> = { 0: '', 1: '' };
  /** Whether a lane may have due jobs that were not handed out. */
  private readonly more: Record<Lane, boolean> = { 0: true, 1: true };
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(DELIVERY) private readonly delivery: Delivery,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly wakeups: Wakeups,
  ) {}

  start(): void {
    this.unsubscribe = this.wakeups.subscribe('jobs', (tenantId) => {
      this.woken.add(tenantId);
      this.look();
    });
    this.lookAround();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    this.unsubscribe?.();
    clearTimeout(this.timer);
    await this.running;
  }

  /** There is room for more: hands out what did not fit before. */
  onRoom(): void {
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
      if (!this.stopped) this.logger.warn(`Jobs wait, the dispatcher tries again: ${String(error)}`);
    }
    if (!this.stopped) this.timer = setTimeout(() => this.lookAround(), sleepMs);
  }

  private async pass(): Promise<void> {
    const tenants = [...this.woken];
    this.woken.clear();
    if (tenants.length >= MANY_TENANTS) this.more[LANE.interactive] = true;
    if (tenants.length > 0) this.more[LANE.backfill] = true;
    if (!this.more[LANE.interactive]) {
      for (const tenant of tenants) await this.handOut(LANE.interactive, tenant);
    }
    for (const lane of [LANE.interactive, LANE.backfill]) {
      if (this.more[lane]) await this.handOutAll(lane);
    }
  }

  /** One turn over all tenants, from where the last one stopped. */
  private async handOutAll(lane: Lane): Promise<void> {
    const room = this.delivery.room(lane);
    if (room === 0) return;
    const start = this.cursor[lane];
    const first = await this.handOut(lane, undefined, start, room);
    const full = first.length >= room;
    const second = full || start === '' ? [] : await this.handOut(lane, undefined, '', room - first.length);
    const last = second.at(-1) ?? first.at(-1);
    this.cursor[lane] = full || second.length > 0 ? (last?.tenant_id ?? '') : '';
    this.more[lane] = first.length + second.length >= room;
  }

  private async handOut(
    lane: Lane,
    only: string | undefined,
    after = '',
    room = this.delivery.room(lane),
  ): Promise<Row[]> {
    if (room === 0) return [];
    const rows = await this.dataSource.query<Row[]>(
      'SELECT * FROM ai_dispatch_jobs($1, $2, $3, $4, $5, $6)',
      [lane, room, this.options.tenantWindow, after, only ?? null, this.options.leaseMs],
    );
    if (rows.length > 0) await this.delivery.deliver(lane, rows.map(toHint));
    return rows;
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
