import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { briefError } from '#libs/common';
import { BudgetAlerts, type BudgetAlert } from './budget-alerts.js';
import { FieldDefault } from './field-default.js';

const BATCH = 500;
const MAX_TENANTS = 200;
/** Nobody waits for it: what is read adds what waits here, and a hold that finds no room settles its tenant first. */
const INTERVAL_MS = 2_000;

/** What is moved and the alerts that this brings commit together. */
const MOVE = 'SELECT moved, alerts FROM ai_move_settlements($1, $2, $3)';

/**
 * Moves finished holds into the budgets, many at once, so that the budget row of a busy tenant is written a few times a
 * second and not with every call. Any number of processes may do it at once; each hold is moved exactly once.
 */
@Injectable()
export class SettlementQueue implements OnApplicationShutdown {
  private readonly logger = new Logger(SettlementQueue.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly alerts: BudgetAlerts,
    private readonly fieldDefault: FieldDefault,
  ) {}

  /** Starts the small job that empties the queue of all tenants again and again. */
  start(): void {
    this.timer ??= setInterval(() => {
      this.running ??= this.applyAll()
        .catch((error: unknown) =>
          this.logger.warn(`Settlements wait, budgets count them as held: ${briefError(error)}`),
        )
        .finally(() => (this.running = undefined));
    }, INTERVAL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** Moves all finished holds of one tenant now. @returns how many. */
  async apply(tenantId: string): Promise<number> {
    let moved = 0;
    for (;;) {
      const [row] = await this.dataSource.query<{ moved: number; alerts: BudgetAlert[] | null }[]>(MOVE, [
        tenantId,
        BATCH,
        this.fieldDefault.parameter,
      ]);
      this.alerts.tell(tenantId, row!.alerts);
      moved += row!.moved;
      if (row!.moved < BATCH) return moved;
    }
  }

  private async applyAll(): Promise<void> {
    const tenants = await this.dataSource.query<{ id: string }[]>('SELECT ai_tenants_to_settle($1) AS id', [
      MAX_TENANTS,
    ]);
    for (const { id } of tenants) await this.apply(id);
  }
}
