import { EventEmitter } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import type { Principal } from '#libs/host';
import { afterCommit } from './after-commit.js';
import { TENANTS_OPTIONS, type TenantSettings, type TenantsOptions } from './tenants.options.js';

const RECENT_MS = 2_000;

/** Whoever relies on settings holds it shared, who changes them alone. */
const LOCK = `hashtextextended('fieldsmith.ai-settings:' || $1, 0)`;

/** What is asked or done with a change of settings, in its transaction. */
export type SettingsStep = (
  em: EntityManager,
  principal: Principal,
  before: TenantSettings,
  after: TenantSettings,
) => Promise<void>;

/** Reads and changes the AI settings of a tenant. What a tenant has not set is the host's default. */
@Injectable()
export class TenantSettingsStore {
  private readonly known = new LRUCache<string, TenantSettings>({ max: 10_000, ttl: RECENT_MS });
  private readonly changes = new EventEmitter();
  private readonly guards: SettingsStep[] = [];
  private readonly followers: SettingsStep[] = [];

  constructor(@Inject(TENANTS_OPTIONS) private readonly options: TenantsOptions) {}

  async read(em: EntityManager, tenantId: string): Promise<TenantSettings> {
    const [row] = await em.query<{ settings: Partial<TenantSettings> }[]>(
      'SELECT settings FROM ai_settings WHERE tenant_id = $1',
      [tenantId],
    );
    return this.complete(row?.settings);
  }

  /** Settings as they are stored, with the host's defaults for what the tenant has not set. */
  complete(stored: Partial<TenantSettings> | null | undefined): TenantSettings {
    return { ...this.options.defaults, ...stored };
  }

  /**
   * The settings as they were at most two seconds ago, for what need not be exact: which fields a change makes due, and how
   * a state is shown. A prompt never goes by them.
   */
  async recent(em: EntityManager, tenantId: string): Promise<TenantSettings> {
    const known = this.known.get(tenantId);
    if (known) return known;
    const settings = await this.read(em, tenantId);
    this.known.set(tenantId, settings);
    return settings;
  }

  /** Tells of each change of a tenant's settings that this process has made, once it has committed. */
  subscribe(listener: (tenantId: string) => void): void {
    this.changes.on('change', listener);
  }

  /** Lets nobody change the settings until the transaction ends: for what is checked against them and saved with it. */
  async keep(em: EntityManager, tenantId: string): Promise<void> {
    await em.query(`SELECT pg_advisory_xact_lock_shared(${LOCK})`, [tenantId]);
  }

  /** Asks before each change; what throws keeps it from being made. */
  guard(guard: SettingsStep): void {
    this.guards.push(guard);
  }

  /** Does with each change what must not be without it: both commit together, or neither. */
  follow(follower: SettingsStep): void {
    this.followers.push(follower);
  }

  /** Changes the settings that are named and leaves the others. @throws what a guard throws. */
  async change(
    em: EntityManager,
    principal: Principal,
    changes: Partial<TenantSettings>,
  ): Promise<TenantSettings> {
    const { tenantId } = principal;
    await em.query(`SELECT pg_advisory_xact_lock(${LOCK})`, [tenantId]);
    const before = await this.read(em, tenantId);
    const after = { ...before, ...changes };
    for (const guard of this.guards) await guard(em, principal, before, after);
    await em.query(
      `INSERT INTO ai_settings AS s (tenant_id, settings) VALUES ($1, $2)
       ON CONFLICT (tenant_id) DO UPDATE SET settings = s.settings || excluded.settings, updated_at = now()`,
      [tenantId, JSON.stringify(changes)],
    );
    for (const follower of this.followers) await follower(em, principal, before, after);
    this.known.delete(tenantId);
    afterCommit(em, 'ai-settings', () => {
      this.known.delete(tenantId);
      this.changes.emit('change', tenantId);
    });
    return this.read(em, tenantId);
  }
}
