import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Counter } from 'prom-client';
import { DataSource, type EntityManager } from 'typeorm';
import { briefError, Metrics } from '#libs/common';
import { EventLog } from '#libs/events';
import { afterCommit } from '#libs/tenants';
import type { BudgetScope } from './budget-scope.js';
import { FieldDefault } from './field-default.js';

/** A budget has come to a threshold of its limit: the payload of the event `budget.alert`. Money in decimal cents. */
export interface BudgetAlert {
  scope: BudgetScope;
  scope_id: string;
  /** `YYYY-MM`. */
  period: string;
  /** Per cent of the limit. */
  threshold: 50 | 80 | 100;
  /** Whether a call was refused although the limit is not quite spent. */
  refused: boolean;
  limit_cents: number;
  spent_cents: number;
  held_cents: number;
  unconfirmed_cents: number;
  remaining_cents: number;
}

/** The last is what was refused, or null. */
const RAISE = 'SELECT ai_raise_budget_alerts($1, $2, ARRAY[$3], ARRAY[$4], $5) AS alerts';

interface Row {
  alerts: BudgetAlert[] | null;
}

/**
 * Tells that a budget has come to 50, 80 or 100 % of its limit, once a month each. The database decides and writes the
 * events, in the transaction that finds the threshold crossed (`ai_raise_budget_alerts`); here they are logged, counted,
 * and readers of events are woken.
 */
@Injectable()
export class BudgetAlerts {
  private readonly logger = new Logger(BudgetAlerts.name);
  private readonly raised: Counter<'scope' | 'threshold'>;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly events: EventLog,
    private readonly fieldDefault: FieldDefault,
    metrics: Metrics,
  ) {
    this.raised = new Counter({
      name: 'fieldsmith_budget_alerts_total',
      help: 'Budgets that came to a threshold of their limit, by scope and threshold (50, 80, 100 per cent).',
      labelNames: ['scope', 'threshold'],
      registers: [metrics],
    });
  }

  /** Looks at one budget after its limit was changed, in that transaction. */
  async limitChanged(
    em: EntityManager,
    tenantId: string,
    scope: BudgetScope,
    scopeId: string,
  ): Promise<void> {
    const values = [tenantId, this.fieldDefault.parameter, scope, scopeId, null];
    const [row] = await em.query<Row[]>(RAISE, values);
    const { alerts } = row!;
    if (alerts) afterCommit(em, `budget-alerts:${scope}:${scopeId}`, () => this.tell(tenantId, alerts));
  }

  /**
   * A call was refused: the budget has come to its end, though what is spent never quite reaches the limit. A failure is
   * logged, for the refusal must reach the job; the next one tells.
   *
   * @param amountNano what was asked for, in nano-USD.
   */
  async refused(tenantId: string, scope: BudgetScope, scopeId: string, amountNano: bigint): Promise<void> {
    try {
      const values = [tenantId, this.fieldDefault.parameter, scope, scopeId, amountNano.toString()];
      const [row] = await this.dataSource.query<Row[]>(RAISE, values);
      this.tell(tenantId, row!.alerts);
    } catch (error) {
      this.logger.warn(`A budget that refused a call could not be told of: ${briefError(error)}`);
    }
  }

  /** Tells of alerts that are committed. */
  tell(tenantId: string, alerts: readonly BudgetAlert[] | null): void {
    if (!alerts) return;
    for (const alert of alerts) {
      this.raised.inc({ scope: alert.scope, threshold: alert.threshold });
      this.logger.warn({ message: 'a budget came to a threshold', tenant_id: tenantId, ...alert });
    }
    this.events.wake(tenantId);
  }
}
