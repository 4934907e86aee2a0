import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import {
  afterCommit,
  SecretBox,
  TenantSettingsStore,
  type SealedSecret,
  type TenantSettings,
} from '#libs/tenants';
import { LLM_OPTIONS, type LlmOptions } from '../llm.options.js';
import type { LlmCredentials } from '../llm-provider.js';
import { KeyBreakers, type KeyRef, type OpenBreaker } from './key-breakers.js';
import { KeyChanges } from './key-changes.js';
import { TenantUrls } from './tenant-urls.js';
import { keyId, ownerOf, purposeOf, type KeySource } from './key-owner.js';

/** A key that is ready to use. */
export interface ResolvedKey {
  credentials: LlmCredentials;
  source: KeySource;
  /** The one key that this is, for its breaker. */
  ref: KeyRef;
  /** Where calls at once are limited: what the limit is counted by, and the limit. */
  limit?: KeyLimit;
  /** The key fails: one call now and then is let through, the others wait. */
  breaker?: OpenBreaker;
  /** The provider asked for a pause of this key until then. */
  pausedUntil?: Date;
}

/** Most calls at once with one key, over all processes. */
export interface KeyLimit {
  /** The id of the key. */
  key: string;
  most: number;
}

/** The key a tenant's calls go by, with what is wrong with it; all null where there is none, and nothing is. */
interface ResolvingRow {
  key_id: string | null;
  sealed: Buffer | null;
  base_url: string | null;
  max_concurrency: number | null;
  paused_until: Date | null;
  failures: number | null;
  probe_in_ms: number | null;
  /** Null unless the breaker is open. */
  reason: string | null;
  /** The tenant's settings as they are stored. */
  settings: Partial<TenantSettings> | null;
}

const RESOLVE = `
  SELECT k.key_id, k.sealed, k.base_url, k.max_concurrency, p.paused_until, b.failures, s.settings,
         CASE WHEN b.opened_at IS NOT NULL THEN b.reason END AS reason,
         greatest(0, extract(epoch FROM b.probe_at - clock_timestamp()) * 1000)::float8 AS probe_in_ms
    FROM (SELECT 1) one
    LEFT JOIN ai_settings s ON s.tenant_id = $1
    LEFT JOIN ai_provider_keys k ON k.tenant_id = $1 AND k.provider = $2
    LEFT JOIN ai_key_pauses p ON p.tenant_id = coalesce(k.tenant_id, '*') AND p.provider = $2
      AND p.paused_until > clock_timestamp()
    LEFT JOIN ai_key_breakers b ON b.tenant_id = coalesce(k.tenant_id, '*') AND b.provider = $2`;

const RECENT_MS = 1_000;

/** The key a call is made with: the tenant's own, else the host's global one, else the simulator where the host runs it. */
@Injectable()
export class ProviderKeys {
  private readonly recent = new LRUCache<string, ResolvingRow>({ max: 10_000, ttl: RECENT_MS });
  /** Told apart: a row that was asked for before a change and comes after it is not remembered. */
  private changed = 0;

  constructor(
    private readonly secrets: SecretBox,
    private readonly breakers: KeyBreakers,
    changes: KeyChanges,
    private readonly settings: TenantSettingsStore,
    private readonly urls: TenantUrls,
    @Inject(LLM_OPTIONS) private readonly options: LlmOptions,
  ) {
    const clear = () => {
      this.changed += 1;
      this.recent.clear();
    };
    changes.subscribe(clear);
    settings.subscribe(clear);
  }

  /**
   * The key a call of this tenant to this provider is made with; undefined where there is none. As it was at most a second
   * ago where another process changed it.
   *
   * @throws FieldsmithError `global_key_forbidden`, 422, where only the host's key is left and the tenant's settings forbid
   * it; `base_url_not_allowed`, 422, where the operator's list is another one since; `secret_unreadable`.
   */
  async resolve(em: EntityManager, tenantId: string, provider: string): Promise<ResolvedKey | undefined> {
    const row = await this.recentRow(em, tenantId, provider);
    const { sealed, key_id: keyOf } = row;
    const owned = sealed && keyOf ? { keyId: keyOf, sealed } : undefined;
    const found = owned ? this.own(tenantId, provider, row, owned) : this.shared(provider);
    if (!found) return undefined;
    if (found.source === 'global' && !this.settings.complete(row.settings).allowGlobalKeys)
      throw globalKeyForbidden(provider);
    const ref = { provider, owner: ownerOf(tenantId, found.source) };
    if (row.failures) this.breakers.suspect(ref);
    const { maxConcurrency: most, ...key } = found;
    return {
      ...key,
      ref,
      limit: most === undefined ? undefined : { key: keyId(provider, ref.owner), most },
      breaker: row.reason === null ? undefined : openBreaker(row.reason, row.probe_in_ms),
      pausedUntil: stillAhead(row.paused_until),
    };
  }

  /** Most calls at once with a key that tenants share; undefined for any number. */
  sharedLimit(provider: string): number | undefined {
    return this.shared(provider)?.maxConcurrency;
  }

  /** Whether the host itself has a key for the provider. */
  isShared(provider: string): boolean {
    return this.options.globalKeys[provider] !== undefined;
  }

  private async recentRow(em: EntityManager, tenantId: string, provider: string): Promise<ResolvingRow> {
    const key = cacheKey(tenantId, provider);
    const known = this.recent.get(key);
    if (known) return known;
    const asked = this.changed;
    const [row] = await em.query<ResolvingRow[]>(RESOLVE, [tenantId, provider]);
    // What waits for an open breaker, or for a pause to end, is woken that moment, and must not find it as it was.
    const isWaitedFor = row!.reason !== null || row!.paused_until !== null;
    if (!isWaitedFor && asked === this.changed) this.recent.set(key, row!);
    return row!;
  }

  /** Leaves a key alone for a while; a later end wins over an earlier one. */
  async pause(
    em: EntityManager,
    tenantId: string,
    provider: string,
    source: KeySource,
    ms: number,
  ): Promise<void> {
    await em.query(
      `INSERT INTO ai_key_pauses AS p (tenant_id, provider, paused_until)
       VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3::float8 / 1000))
       ON CONFLICT (tenant_id, provider) DO UPDATE SET paused_until = greatest(p.paused_until, excluded.paused_until)`,
      [ownerOf(tenantId, source), provider, ms],
    );
    this.forget(em);
  }

  /** At once, and again after the commit: what is read in between is as it was before. */
  private forget(em: EntityManager): void {
    this.recent.clear();
    afterCommit(em, 'provider-keys', () => this.recent.clear());
  }

  private own(
    tenantId: string,
    provider: string,
    { base_url: baseUrl, max_concurrency: most }: ResolvingRow,
    secret: SealedSecret,
  ): FoundKey {
    const apiKey = this.secrets.open(tenantId, purposeOf(provider), secret);
    if (baseUrl !== null) this.urls.requireListed(baseUrl);
    const credentials = baseUrl === null ? { apiKey } : { apiKey, baseUrl, mayConnect: this.urls.mayConnect };
    return { credentials, source: 'tenant', maxConcurrency: most ?? undefined };
  }

  private shared(provider: string): FoundKey | undefined {
    const { globalKeys, globalMaxConcurrency, simulatorUrl, simulatorMaxConcurrency } = this.options;
    const credentials = globalKeys[provider];
    if (credentials)
      return { credentials, source: 'global', maxConcurrency: globalMaxConcurrency?.[provider] };
    if (!simulatorUrl) return undefined;
    return {
      credentials: { apiKey: 'simulator', baseUrl: simulatorUrl },
      source: 'simulator',
      maxConcurrency: simulatorMaxConcurrency,
    };
  }
}

/** A key wherever it came from. */
interface FoundKey extends Pick<ResolvedKey, 'credentials' | 'source'> {
  maxConcurrency?: number;
}

function openBreaker(reason: string, probeInMs: number | null): OpenBreaker {
  return { reason, probeInMs: Math.ceil(probeInMs ?? 0) };
}

function cacheKey(tenantId: string, provider: string): string {
  return JSON.stringify([tenantId, provider]);
}

/** By this process's clock: a second more or less does no harm to a pause. */
function stillAhead(pausedUntil: Date | null): Date | undefined {
  return pausedUntil && pausedUntil.getTime() > Date.now() ? pausedUntil : undefined;
}

function globalKeyForbidden(provider: string): FieldsmithError {
  const remedy = `store one with PUT /provider-keys/${provider}, or allow it in /ai-settings`;
  const message = `There is no key for ${provider} of your own, and allow_global_keys forbids the shared one: ${remedy}.`;
  return new FieldsmithError('global_key_forbidden', message, { status: 422 });
}
