import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog, type Watched } from '#libs/access';
import { nanoToCents } from '#libs/common';
import type { Principal } from '#libs/host';
import { BudgetAlerts } from './budget-alerts.js';
import type { BudgetScope } from './budget-scope.js';
import { FieldDefault } from './field-default.js';

/** A budget of the current calendar month (UTC), in decimal cents. */
export interface BudgetView {
  scope: BudgetScope;
  scope_id: string;
  /** `YYYY-MM`. */
  period: string;
  limit_cents: number | null;
  /** Whether the limit is the operator's for fields that have none of their own. */
  default: boolean;
  /** Everything that is gone, unconfirmed calls included. */
  spent_cents: number;
  held_cents: number;
  /** The part of what is spent whose calls never told their outcome. */
  unconfirmed_cents: number;
  remaining_cents: number | null;
}

interface Row {
  scope: BudgetScope;
  scope_id: string;
  period: string;
  limit_nano: string | null;
  is_default: boolean;
  spent: string;
  held: string;
  unconfirmed: string;
}

/** What the queue of settlements still holds is added, so that the figures are exact at any moment. */
const READ = `
  WITH now_in AS (SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date AS period),
  waiting AS (
    SELECT s.scope, s.id, sum(h.amount) AS held,
           sum(CASE h.state WHEN 'settled' THEN coalesce(h.cost, 0) WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS spent,
           sum(CASE h.state WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS unconfirmed
      FROM ai_holds h JOIN now_in USING (period),
           LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)
     WHERE h.tenant_id = $1 AND h.state <> 'held' AND s.id IS NOT NULL GROUP BY 1, 2),
  scopes AS (
    SELECT scope, scope_id FROM ai_budget_limits WHERE tenant_id = $1
    UNION SELECT scope, scope_id FROM ai_budgets JOIN now_in USING (period)
           WHERE tenant_id = $1 AND (held, spent, unconfirmed) <> (0, 0, 0)
    UNION SELECT scope, id FROM waiting
    UNION SELECT 'tenant', 'self')
  SELECT s.scope, s.scope_id, to_char(n.period, 'YYYY-MM') AS period, d.nano AS limit_nano,
         d.nano IS NOT NULL AND l.limit_nano IS NULL AS is_default,
         coalesce(b.spent, 0) + coalesce(w.spent, 0) AS spent,
         coalesce(b.held, 0) - coalesce(w.held, 0) AS held,
         coalesce(b.unconfirmed, 0) + coalesce(w.unconfirmed, 0) AS unconfirmed
    FROM scopes s CROSS JOIN now_in n
    LEFT JOIN ai_budget_limits l ON l.tenant_id = $1 AND l.scope = s.scope AND l.scope_id = s.scope_id
    CROSS JOIN LATERAL (SELECT coalesce(l.limit_nano, CASE s.scope WHEN 'field' THEN $2::bigint END) AS nano) d
    LEFT JOIN ai_budgets b ON b.tenant_id = $1 AND b.scope = s.scope AND b.scope_id = s.scope_id AND b.period = n.period
    LEFT JOIN waiting w ON w.scope = s.scope AND w.id = s.scope_id
   ORDER BY array_position(ARRAY['tenant', 'field', 'user'], s.scope), s.scope_id`;

/**
 * The budget first, as whoever moves settlements locks them too. From then on no hold is placed until the commit, and one
 * that has waited for the row finds the new limit there: what it read before is the old one.
 */
const TELL_BUDGET = `
  INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, limit_nano, limit_set_at)
  VALUES ($1, $2, $3, date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date, $4, clock_timestamp())
  ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
     SET limit_nano = excluded.limit_nano, limit_set_at = excluded.limit_set_at
  RETURNING limit_set_at::text AS at`;
const SET = `
  INSERT INTO ai_budget_limits (tenant_id, scope, scope_id, limit_nano, updated_at) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tenant_id, scope, scope_id) DO UPDATE SET limit_nano = excluded.limit_nano, updated_at = excluded.updated_at`;
/**
 * From now on what a hold has read counts: the limit, if it has waited since before. A row is made where there is none, so
 * that the first hold of a month, which may be making it with the limit, comes before or after.
 */
const UNTELL_BUDGET = `
  INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period)
  SELECT tenant_id, scope, scope_id, date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date
    FROM ai_budget_limits WHERE tenant_id = $1 AND scope = $2 AND scope_id = $3
  ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE SET limit_set_at = NULL`;

/** Limits of a tenant and what has been spent and held against them. Every change of a limit is audited here, whoever makes it. */
@Injectable()
export class Budgets {
  constructor(
    private readonly audit: AuditLog,
    private readonly alerts: BudgetAlerts,
    private readonly fieldDefault: FieldDefault,
  ) {}

  /** Whether every field has a limit, its own or the operator's. */
  get limitsEveryField(): boolean {
    return this.fieldDefault.nano !== undefined;
  }

  async list(em: EntityManager, tenantId: string): Promise<BudgetView[]> {
    const rows = await em.query<Row[]>(READ, [tenantId, this.fieldDefault.parameter]);
    return rows.map(toView);
  }

  /**
   * Sets the monthly limit of one scope, in nano-USD. It counts for the current month too, and where that has come to a
   * threshold of it an alert is raised. Limit and budget stay locked until the commit, and whoever places a hold or applies
   * settlements waits for them: do it last.
   */
  async setLimit(
    em: EntityManager,
    principal: Principal,
    scope: BudgetScope,
    scopeId: string,
    limitNano: bigint,
  ): Promise<void> {
    const { tenantId } = principal;
    const limit = [tenantId, scope, scopeId, limitNano.toString()];
    await this.audit.watch(em, principal, this.watched(em, tenantId, scope, scopeId), async () => {
      const [told] = await em.query<{ at: string }[]>(TELL_BUDGET, limit);
      await em.query(SET, [...limit, told!.at]);
    });
    await this.alerts.limitChanged(em, tenantId, scope, scopeId);
  }

  /** @returns whether there was a limit. */
  async removeLimit(
    em: EntityManager,
    principal: Principal,
    scope: BudgetScope,
    scopeId: string,
  ): Promise<boolean> {
    const { tenantId } = principal;
    return this.audit.watch(em, principal, this.watched(em, tenantId, scope, scopeId), async () => {
      await em.query(UNTELL_BUDGET, [tenantId, scope, scopeId]);
      const [, removed] = await em.query<[unknown, number]>(
        'DELETE FROM ai_budget_limits WHERE tenant_id = $1 AND scope = $2 AND scope_id = $3',
        [tenantId, scope, scopeId],
      );
      if (removed > 0) await this.alerts.limitChanged(em, tenantId, scope, scopeId);
      return removed > 0;
    });
  }

  /** Whether the tenant or any of its users has a limit: then one may apply to any call. */
  async anyLimit(em: EntityManager, tenantId: string): Promise<boolean> {
    const rows = await em.query<unknown[]>(
      `SELECT FROM ai_budget_limits WHERE tenant_id = $1 AND scope IN ('tenant', 'user') LIMIT 1`,
      [tenantId],
    );
    return rows.length > 0;
  }

  /** The limit of one scope in nano-USD, or undefined where there is none. */
  async limitOf(
    em: EntityManager,
    tenantId: string,
    scope: BudgetScope,
    scopeId: string,
  ): Promise<bigint | undefined> {
    const [row] = await em.query<{ limit_nano: string }[]>(
      'SELECT limit_nano FROM ai_budget_limits WHERE tenant_id = $1 AND scope = $2 AND scope_id = $3',
      [tenantId, scope, scopeId],
    );
    return row && BigInt(row.limit_nano);
  }

  private watched(em: EntityManager, tenantId: string, scope: BudgetScope, scopeId: string): Watched {
    const view = async (): Promise<object | undefined> => {
      const limit = await this.limitOf(em, tenantId, scope, scopeId);
      return limit === undefined ? undefined : { limit_cents: nanoToCents(limit) };
    };
    return { subject: 'Budget', subjectId: `${scope}/${scopeId}`, view };
  }
}

function toView(row: Row): BudgetView {
  const [spent, held, unconfirmed] = [BigInt(row.spent), BigInt(row.held), BigInt(row.unconfirmed)];
  const limit = row.limit_nano === null ? undefined : BigInt(row.limit_nano);
  return {
    scope: row.scope,
    scope_id: row.scope_id,
    period: row.period,
    limit_cents: limit === undefined ? null : nanoToCents(limit),
    default: row.is_default,
    spent_cents: nanoToCents(spent),
    held_cents: nanoToCents(held),
    unconfirmed_cents: nanoToCents(unconfirmed),
    remaining_cents: limit === undefined ? null : nanoToCents(max(0n, limit - spent - held)),
  };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
