import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { breakerStates } from '#libs/llm';

/** A key that calls to a provider are not made with for now. */
export interface KeyState {
  provider: string;
  /** Whose key: the tenant's own, or the one that all share. */
  key: 'tenant' | 'global';
  /** `paused`: the provider asked for it. `failing`: it was refused again and again, and is tried anew at `until`. */
  state: 'paused' | 'failing';
  until: string;
  /** Why it fails. */
  error?: { code: string; message: string };
}

/** How the keys stand that a tenant's calls are made with. Keys that work are not named. */
@Injectable()
export class KeyStates {
  async of(em: EntityManager, tenantId: string): Promise<KeyState[]> {
    return [...(await this.paused(em, tenantId)), ...(await this.failing(em, tenantId))];
  }

  /** Keys that rest because their provider asked for it. */
  async paused(em: EntityManager, tenantId: string): Promise<KeyState[]> {
    const rows = await em.query<{ provider: string; tenant_id: string; until: Date }[]>(
      `SELECT provider, tenant_id, paused_until AS until FROM ai_key_pauses
        WHERE tenant_id IN ($1, '*') AND paused_until > clock_timestamp() ORDER BY provider, tenant_id`,
      [tenantId],
    );
    return rows.map(({ provider, tenant_id: owner, until }) => ({
      provider,
      key: owner === '*' ? 'global' : 'tenant',
      state: 'paused',
      until: until.toISOString(),
    }));
  }

  /** Keys whose breaker is open. */
  async failing(em: EntityManager, tenantId: string): Promise<KeyState[]> {
    const open = await breakerStates(em, tenantId);
    return open.map(({ provider, source, probe_at: until, error }) => ({
      provider,
      key: source,
      state: 'failing',
      until,
      error,
    }));
  }
}
