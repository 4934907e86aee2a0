import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from 'typeorm';
import { InvalidInputError } from '#libs/common';
import { afterCommit, SecretBox, type SealedSecret } from '#libs/tenants';
import { checkBaseUrl } from '../base-url-policy.js';
import { LLM_OPTIONS, type LlmOptions } from '../llm.options.js';
import type { LlmCredentials } from '../llm-provider.js';
import { KeyBreakers, type KeyRef, type OpenBreaker } from './key-breakers.js';
import { KeyChanges } from './key-changes.js';
import { keyId, ownerOf, type KeySource } from './key-owner.js';

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

/** A key as it is shown: never the key itself. */
export interface ProviderKeyView {
  provider: string;
  last_four: string;
  base_url: string | null;
  /** Most calls at once; null for any number. */
  max_concurrency: number | null;
  updated_at: string;
}

/** A key as it is stored. */
export interface NewKey {
  apiKey: string;
  baseUrl?: string;
  /** Most calls at once, 1 to 1,000; default: any number. */
  maxConcurrency?: number;
}

interface KeyRow {
  provider: string;
  key_id: string;
  sealed: Buffer;
  last_four: string;
  base_url: string | null;
  max_concurrency: number | null;
  updated_at: Date;
}

/** The key a tenant's calls go by, with what is wrong with it; all null where there is none, and nothing is. */
interface ResolvingRow extends Partial<Pick<KeyRow, 'key_id' | 'sealed' | 'base_url' | 'max_concurrency'>> {
  paused_until: Date | null;
  failures: number | null;
  probe_in_ms: number | null;
  /** Null unless the breaker is open. */
  reason: string | null;
}

const RESOLVE = `
  SELECT k.key_id, k.sealed, k.base_url, k.max_concurrency, p.paused_until, b.failures,
         CASE WHEN b.opened_at IS NOT NULL THEN b.reason END AS reason,
         greatest(0, extract(epoch FROM b.probe_at - clock_timestamp()) * 1000)::float8 AS probe_in_ms
    FROM (SELECT 1) one
    LEFT JOIN ai_provider_keys k ON k.tenant_id = $1 AND k.provider = $2
    LEFT JOIN ai_key_pauses p ON p.tenant_id = coalesce(k.tenant_id, '*') AND p.provider = $2
      AND p.paused_until > clock_timestamp()
    LEFT JOIN ai_key_breakers b ON b.tenant_id = coalesce(k.tenant_id, '*') AND b.provider = $2`;

const SHOWN = 'provider, last_four, base_url, max_concurrency, updated_at';

const RECENT_MS = 1_000;

const MAX_KEY_CHARS = 500;

/** Keys of providers: a tenant's own, else the host's global one, else the simulator where the host runs it. */
@Injectable()
export class ProviderKeys {
  private readonly recent = new LRUCache<string, ResolvingRow>({ max: 10_000, ttl: RECENT_MS });
  /** Told apart: a row that was asked for before a change and comes after it is not remembered. */
  private changed = 0;

  constructor(
    private readonly secrets: SecretBox,
    private readonly breakers: KeyBreakers,
    private readonly changes: KeyChanges,
    @Inject(LLM_OPTIONS) private readonly options: LlmOptions,
  ) {
    changes.subscribe(() => {
      this.changed += 1;
      this.recent.clear();
    });
  }

  /**
   * The key a call of this tenant to this provider is made with; undefined where there is none. As it was at most a second
   * ago where another process changed it.
   */
  async resolve(em: EntityManager, tenantId: string, provider: string): Promise<ResolvedKey | undefined> {
    const row = await this.recentRow(em, tenantId, provider);
    const { sealed, key_id: keyOf } = row;
    const owned = sealed && keyOf ? { keyId: keyOf, sealed } : undefined;
    const found = owned ? this.own(tenantId, provider, row, owned) : this.shared(provider);
    if (!found) return undefined;
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
    // What waits for an open breaker is woken the moment it closes, and must not find it open still.
    if (row!.reason === null && asked === this.changed) this.recent.set(key, row!);
    return row!;
  }

  async list(em: EntityManager, tenantId: string): Promise<ProviderKeyView[]> {
    const rows = await em.query<KeyRow[]>(
      `SELECT ${SHOWN} FROM ai_provider_keys WHERE tenant_id = $1 ORDER BY provider`,
      [tenantId],
    );
    return rows.map(view);
  }

  /** @throws InvalidInputError when the key is no key or the base URL is not allowed. */
  async put(em: EntityManager, tenantId: string, provider: string, key: NewKey): Promise<ProviderKeyView> {
    const apiKey = key.apiKey.trim();
    if (!/^[\x21-\x7e]+$/.test(apiKey) || apiKey.length > MAX_KEY_CHARS) {
      throw new InvalidInputError([
        {
          path: 'api_key',
          message: `must be 1 to ${MAX_KEY_CHARS} visible ASCII characters: paste the key again`,
        },
      ]);
    }
    if (key.baseUrl) checkBaseUrl(key.baseUrl, { allowlist: [...this.options.urlAllowlist] });
    const { keyId: id, sealed } = this.secrets.seal(tenantId, purposeOf(provider), apiKey);
    const [row] = await em.query<KeyRow[]>(
      `INSERT INTO ai_provider_keys (tenant_id, provider, key_id, sealed, last_four, base_url, max_concurrency)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (tenant_id, provider) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
         last_four = excluded.last_four, base_url = excluded.base_url,
         max_concurrency = excluded.max_concurrency, updated_at = now()
       RETURNING ${SHOWN}`,
      [tenantId, provider, id, sealed, apiKey.slice(-4), key.baseUrl ?? null, key.maxConcurrency ?? null],
    );
    await this.replaced(em, tenantId, provider);
    return view(row!);
  }

  /** @returns false where there was none. */
  async remove(em: EntityManager, tenantId: string, provider: string): Promise<boolean> {
    const rows = await em.query<[unknown[], number]>(
      'DELETE FROM ai_provider_keys WHERE tenant_id = $1 AND provider = $2 RETURNING 1',
      [tenantId, provider],
    );
    await this.replaced(em, tenantId, provider);
    return rows[1] > 0;
  }

  /** Whatever was wrong was wrong with the key that was there before. */
  private async replaced(em: EntityManager, tenantId: string, provider: string): Promise<void> {
    await em.query('DELETE FROM ai_key_pauses WHERE tenant_id = $1 AND provider = $2', [tenantId, provider]);
    await this.breakers.mend(em, tenantId, { provider, owner: tenantId });
    this.forget(em);
    const change = { what: 'replaced', tenantId, provider } as const;
    afterCommit(em, `key-replaced:${provider}`, () => this.changes.tell(change));
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
    const credentials = { apiKey, baseUrl: baseUrl ?? undefined };
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

function purposeOf(provider: string): string {
  return `provider-key:${provider}`;
}

function view(row: KeyRow): ProviderKeyView {
  return {
    provider: row.provider,
    last_four: row.last_four,
    base_url: row.base_url,
    max_concurrency: row.max_concurrency,
    updated_at: row.updated_at.toISOString(),
  };
}
