import { Injectable, Logger } from '@nestjs/common';
import { Counter } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { Metrics } from '#libs/common';
import { EventLog } from '#libs/events';
import { TenantTransactions } from '#libs/tenants';
import type { BudgetScope } from './budget-scope.js';

/** A sum of a budget that is not what holds and ledger come to, in nano-USD. */
export interface BudgetDrift {
  scope: BudgetScope;
  scope_id: string;
  /** First day of the month. */
  period: string;
  sum: 'held' | 'spent' | 'unconfirmed';
  found: string;
  expected: string;
}

export interface Reconciliation {
  drifts: BudgetDrift[];
  /** How many held sums were set right. */
  repaired: number;
}

/** The scopes that a hold counts in; the ledger names the same by other columns. */
const HELD_IN = `LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)`;
const SPENT_IN = `LATERAL (VALUES ('user', l.principal_id), ('field', l.pipeline_id || ':' || l.field), ('tenant', 'self')) s(scope, id)`;
const SINCE = `date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') - interval '1 month'`;

/**
 * Of this month and the one before. A budget's `held` has every hold that was not moved yet, finished ones too; its
 * `spent` has what the ledger has, without what those will add.
 */
const DRIFTS = `
  WITH holds AS (
    SELECT h.period, s.scope, s.id, sum(h.amount) AS held,
           sum(CASE h.state WHEN 'settled' THEN coalesce(h.cost, 0) WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS spent,
           sum(CASE h.state WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS unconfirmed
      FROM ai_holds h, ${HELD_IN} WHERE h.tenant_id = $1 AND s.id IS NOT NULL GROUP BY 1, 2, 3),
  ledger AS (
    SELECT date_trunc('month', l.held_at AT TIME ZONE 'UTC')::date AS period, s.scope, s.id, sum(coalesce(l.cost_nano, 0)) AS spent,
           sum(CASE l.entry WHEN 'unconfirmed' THEN l.hold_nano WHEN 'unconfirmed_released' THEN -l.hold_nano ELSE 0 END) AS unconfirmed
      FROM ai_ledger l, ${SPENT_IN}
     WHERE l.tenant_id = $1 AND l.entry <> 'free' AND l.held_at >= (${SINCE}) AT TIME ZONE 'UTC' AND s.id IS NOT NULL GROUP BY 1, 2, 3)
  SELECT b.scope, b.scope_id, b.period::text, v.sum, v.found::text, v.expected::text
    FROM ai_budgets b
    LEFT JOIN holds h ON h.period = b.period AND h.scope = b.scope AND h.id = b.scope_id
    LEFT JOIN ledger l ON l.period = b.period AND l.scope = b.scope AND l.id = b.scope_id,
         LATERAL (VALUES ('held', b.held, coalesce(h.held, 0)),
                         ('spent', b.spent, coalesce(l.spent, 0) - coalesce(h.spent, 0)),
                         ('unconfirmed', b.unconfirmed, coalesce(l.unconfirmed, 0) - coalesce(h.unconfirmed, 0))) v(sum, found, expected)
   WHERE b.tenant_id = $1 AND b.period >= (${SINCE})::date AND v.found <> v.expected
   ORDER BY b.period, array_position(ARRAY['user', 'field', 'tenant'], b.scope), b.scope_id, v.sum`;

const LOCK = `
  SELECT FROM ai_budgets b JOIN jsonb_to_recordset($2) AS k(scope text, scope_id text, period date) USING (scope, scope_id, period)
   WHERE b.tenant_id = $1
   ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope), b.scope_id, b.period FOR UPDATE OF b`;

/** A statement of its own after the lock, so that it sees every hold that was placed before it. */
const REPAIR = `
  UPDATE ai_budgets b SET held = t.held
    FROM (SELECT k.*, (SELECT coalesce(sum(h.amount), 0) FROM ai_holds h WHERE h.tenant_id = $1 AND h.period = k.period
                          AND CASE k.scope WHEN 'user' THEN h.user_id = k.scope_id WHEN 'field' THEN h.field_key = k.scope_id
                                   ELSE true END) AS held
            FROM jsonb_to_recordset($2) AS k(scope text, scope_id text, period date)) t
   WHERE b.tenant_id = $1 AND b.scope = t.scope AND b.scope_id = t.scope_id AND b.period = t.period AND b.held <> t.held`;

/**
 * Compares what budgets say with what holds and ledger come to. A drift is told as an error, an event and a metric. Held
 * sums are set right, because under the lock of its row a budget's \`held\` is the sum of the holds and nothing else;
 * \`spent\` is money and is left for people.
 */
@Injectable()
export class HoldReconciler {
  private readonly logger = new Logger(HoldReconciler.name);
  private readonly found: Counter<'sum'>;

  constructor(
    private readonly tenants: TenantTransactions,
    private readonly events: EventLog,
    metrics: Metrics,
  ) {
    this.found = new Counter({
      name: 'fieldsmith_budget_drifts_total',
      help: 'Sums of budgets that holds and ledger do not come to, by sum (held, spent, unconfirmed).',
      labelNames: ['sum'],
      registers: [metrics],
    });
  }

  async reconcile(tenantId: string): Promise<Reconciliation> {
    // One snapshot: budgets, holds and ledger change together.
    const drifts = await this.tenants.snapshot(tenantId, (em) => em.query<BudgetDrift[]>(DRIFTS, [tenantId]));
    if (drifts.length === 0) return { drifts, repaired: 0 };
    for (const drift of drifts) this.tell(tenantId, drift);
    const repaired = await this.tenants.transaction(tenantId, async (em) => {
      await this.events.append(em, tenantId, drifts.map(toEvent));
      return this.repair(
        em,
        tenantId,
        drifts.filter(({ sum }) => sum === 'held'),
      );
    });
    return { drifts, repaired };
  }

  private async repair(em: EntityManager, tenantId: string, drifts: BudgetDrift[]): Promise<number> {
    const keys = JSON.stringify(drifts.map(({ scope, scope_id, period }) => ({ scope, scope_id, period })));
    await em.query(LOCK, [tenantId, keys]);
    const [, repaired] = await em.query<[unknown, number]>(REPAIR, [tenantId, keys]);
    return repaired;
  }

  private tell(tenantId: string, drift: BudgetDrift): void {
    this.found.inc({ sum: drift.sum });
    this.logger.error({ message: 'a budget does not add up', tenant_id: tenantId, ...drift });
  }
}

function toEvent({ scope, scope_id, period, sum }: BudgetDrift) {
  return { type: 'budget.drift', payload: { scope, scope_id, period: period.slice(0, 7), sum } };
}
