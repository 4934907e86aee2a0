import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { InvalidInputError } from '#libs/common';
import { SecretBox } from '#libs/tenants';
import { checkBaseUrl } from '../base-url-policy.js';
import { LLM_OPTIONS, type LlmOptions } from '../llm.options.js';
import type { LlmCredentials } from '../llm-provider.js';

/** Whose key pays a call. */
export type KeySource = 'tenant' | 'global' | 'simulator';

/** A key that is ready to use. */
export interface ResolvedKey {
  credentials: LlmCredentials;
  source: KeySource;
  /** The provider asked for a pause of this key until then. */
  pausedUntil?: Date;
}

/** A key as it is shown: never the key itself. */
export interface ProviderKeyView {
  provider: string;
  last_four: string;
  base_url: string | null;
  updated_at: string;
}

interface KeyRow {
  provider: string;
  key_id: string;
  sealed: Buffer;
  last_four: string;
  base_url: string | null;
  updated_at: Date;
}

/** The tenant that the pause of a global key is kept under. */
const GLOBAL = '*';
const MAX_KEY_CHARS = 500;

/** Keys of providers: a tenant's own, else the host's global one, else the simulator where the host runs it. */
@Injectable()
export class ProviderKeys {
  constructor(
    private readonly secrets: SecretBox,
    @Inject(LLM_OPTIONS) private readonly options: LlmOptions,
  ) {}

  /** The key a call of this tenant to this provider is made with; undefined where there is none. */
  async resolve(em: EntityManager, tenantId: string, provider: string): Promise<ResolvedKey | undefined> {
    const rows = await em.query<
      (Partial<KeyRow> & { tenant_pause: Date | null; global_pause: Date | null })[]
    >(
      `SELECT k.key_id, k.sealed, k.base_url, own.paused_until AS tenant_pause, shared.paused_until AS global_pause
         FROM (SELECT 1) one
         LEFT JOIN ai_provider_keys k ON k.tenant_id = $1 AND k.provider = $2
         LEFT JOIN ai_key_pauses own ON own.tenant_id = $1 AND own.provider = $2 AND own.paused_until > clock_timestamp()
         LEFT JOIN ai_key_pauses shared ON shared.tenant_id = '*' AND shared.provider = $2 AND shared.paused_until > clock_timestamp()`,
      [tenantId, provider],
    );
    const row = rows[0];
    if (row?.sealed && row.key_id) {
      const apiKey = this.secrets.open(tenantId, purposeOf(provider), {
        keyId: row.key_id,
        sealed: row.sealed,
      });
      return {
        credentials: { apiKey, baseUrl: row.base_url ?? undefined },
        source: 'tenant',
        pausedUntil: row.tenant_pause ?? undefined,
      };
    }
    const shared = this.shared(provider);
    return shared && { ...shared, pausedUntil: row?.global_pause ?? undefined };
  }

  async list(em: EntityManager, tenantId: string): Promise<ProviderKeyView[]> {
    const rows = await em.query<KeyRow[]>(
      'SELECT provider, last_four, base_url, updated_at FROM ai_provider_keys WHERE tenant_id = $1 ORDER BY provider',
      [tenantId],
    );
    return rows.map(view);
  }

  /** @throws InvalidInputError when the key is no key or the base URL is not allowed. */
  async put(
    em: EntityManager,
    tenantId: string,
    provider: string,
    key: { apiKey: string; baseUrl?: string },
  ): Promise<ProviderKeyView> {
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
    const { keyId, sealed } = this.secrets.seal(tenantId, purposeOf(provider), apiKey);
    const [row] = await em.query<KeyRow[]>(
      `INSERT INTO ai_provider_keys (tenant_id, provider, key_id, sealed, last_four, base_url) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (tenant_id, provider) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
         last_four = excluded.last_four, base_url = excluded.base_url, updated_at = now()
       RETURNING provider, last_four, base_url, updated_at`,
      [tenantId, provider, keyId, sealed, apiKey.slice(-4), key.baseUrl ?? null],
    );
    await em.query('DELETE FROM ai_key_pauses WHERE tenant_id = $1 AND provider = $2', [tenantId, provider]);
    return view(row!);
  }

  /** @returns false where there was none. */
  async remove(em: EntityManager, tenantId: string, provider: string): Promise<boolean> {
    const rows = await em.query<[unknown[], number]>(
      'DELETE FROM ai_provider_keys WHERE tenant_id = $1 AND provider = $2 RETURNING 1',
      [tenantId, provider],
    );
    return rows[1] > 0;
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
      [source === 'tenant' ? tenantId : GLOBAL, provider, ms],
    );
  }

  private shared(provider: string): ResolvedKey | undefined {
    const { globalKeys, simulatorUrl } = this.options;
    const global = globalKeys[provider];
    if (global) return { credentials: global, source: 'global' };
    if (simulatorUrl)
      return { credentials: { apiKey: 'simulator', baseUrl: simulatorUrl }, source: 'simulator' };
    return undefined;
  }
}

function purposeOf(provider: string): string {
  return `provider-key:${provider}`;
}

function view(row: KeyRow): ProviderKeyView {
  return {
    provider: row.provider,
    last_four: row.last_four,
    base_url: row.base_url,
    updated_at: row.updated_at.toISOString(),
  };
}
