import type { EntityManager } from 'typeorm';
import { EVERYBODY } from './key-owner.js';

/** A key that fails: its breaker is open, and jobs that need it wait. */
export interface BreakerState {
  provider: string;
  /** Whose key it is: the tenant's own, or the one that tenants share. */
  source: 'tenant' | 'global';
  opened_at: string;
  /** When the next call is let through to see whether the key works again. */
  probe_at: string;
  error: { code: string; message: string };
}

interface Row {
  tenant_id: string;
  provider: string;
  opened_at: Date;
  probe_at: Date;
  reason_code: string;
  reason: string;
}

/**
 * The open breakers that a tenant's jobs may meet: those of its own keys and of the global ones.
 *
 * @example
 * const failing = await tenants.transaction(tenantId, (em) => breakerStates(em, tenantId));
 */
export async function breakerStates(em: EntityManager, tenantId: string): Promise<BreakerState[]> {
  const rows = await em.query<Row[]>(
    `SELECT tenant_id, provider, opened_at, probe_at, reason_code, reason FROM ai_key_breakers
      WHERE tenant_id IN ($1, $2) AND opened_at IS NOT NULL ORDER BY provider, tenant_id`,
    [tenantId, EVERYBODY],
  );
  return rows.map((row) => ({
    provider: row.provider,
    source: row.tenant_id === EVERYBODY ? 'global' : 'tenant',
    opened_at: row.opened_at.toISOString(),
    probe_at: row.probe_at.toISOString(),
    error: { code: row.reason_code, message: row.reason },
  }));
}
