import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditLog, type Watched } from '#libs/access';
import { InvalidInputError } from '#libs/common';
import type { Principal } from '#libs/host';
import { afterCommit, SecretBox } from '#libs/tenants';
import { KeyBreakers } from './key-breakers.js';
import { KeyChanges } from './key-changes.js';
import { purposeOf } from './key-owner.js';

/** A key as it is shown: never the key itself. */
export interface ProviderKeyView {
  provider: string;
  last_four: string;
  base_url: string | null;
  /** Most calls at once; null for any number. */
  max_concurrency: number | null;
  /** When a call was last made with it, to the minute; null if never since it was stored. */
  last_used_at: string | null;
  updated_at: string;
}

/** A key as it is stored. */
export interface NewKey {
  apiKey: string;
  baseUrl?: string;
  /** Most calls at once, 1 to 1,000; default: any number. */
  maxConcurrency?: number;
}

interface KeyRow extends Omit<ProviderKeyView, 'last_used_at' | 'updated_at'> {
  last_used_at: Date | null;
  updated_at: Date;
}

const SHOWN = 'provider, last_four, base_url, max_concurrency, last_used_at, updated_at';
const PUT = `
  INSERT INTO ai_provider_keys AS k (tenant_id, provider, key_id, sealed, last_four, base_url, max_concurrency)
  VALUES ($1, $2, $3, $4, $5, $6, $7)
  ON CONFLICT (tenant_id, provider) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
    last_four = excluded.last_four, base_url = excluded.base_url, max_concurrency = excluded.max_concurrency,
    last_used_at = CASE WHEN $8 THEN k.last_used_at END, updated_at = now()
  RETURNING ${SHOWN}`;

const MAX_KEY_CHARS = 500;

/** The provider keys that tenants store: listed, put and removed, each change audited and told to whoever waits for a key. */
@Injectable()
export class OwnKeys {
  constructor(
    private readonly secrets: SecretBox,
    private readonly breakers: KeyBreakers,
    private readonly changes: KeyChanges,
    private readonly audit: AuditLog,
  ) {}

  async list(em: EntityManager, tenantId: string): Promise<ProviderKeyView[]> {
    const rows = await em.query<KeyRow[]>(
      `SELECT ${SHOWN} FROM ai_provider_keys WHERE tenant_id = $1 ORDER BY provider`,
      [tenantId],
    );
    return rows.map(toView);
  }

  /** Its base URL has been checked by `TenantUrls`. @throws InvalidInputError when the key is no key. */
  async put(
    em: EntityManager,
    principal: Principal,
    provider: string,
    { apiKey: given, baseUrl, maxConcurrency }: NewKey,
  ): Promise<ProviderKeyView> {
    const { tenantId } = principal;
    const apiKey = checkKey(given);
    const { keyId, sealed } = this.secrets.seal(tenantId, purposeOf(provider), apiKey);
    const shown = [apiKey.slice(-4), baseUrl ?? null, maxConcurrency ?? null];
    let isSame = false;
    const watched = watchedKey(em, tenantId, provider, () => isSame);
    const [row] = await this.audit.watch(em, principal, watched, async () => {
      isSame = await this.isStored(em, tenantId, provider, apiKey);
      return em.query<KeyRow[]>(PUT, [tenantId, provider, keyId, sealed, ...shown, isSame]);
    });
    await this.replaced(em, tenantId, provider);
    return toView(row!);
  }

  /** @returns false where there was none. */
  async remove(em: EntityManager, principal: Principal, provider: string): Promise<boolean> {
    const { tenantId } = principal;
    const watched = watchedKey(em, tenantId, provider, () => true);
    const [, removed] = await this.audit.watch(em, principal, watched, () =>
      em.query<[unknown[], number]>(
        'DELETE FROM ai_provider_keys WHERE tenant_id = $1 AND provider = $2 RETURNING 1',
        [tenantId, provider],
      ),
    );
    await this.replaced(em, tenantId, provider);
    return removed > 0;
  }

  /** Whether the key that is there is this one; the last four characters do not tell. */
  private async isStored(
    em: EntityManager,
    tenantId: string,
    provider: string,
    apiKey: string,
  ): Promise<boolean> {
    const [row] = await em.query<{ key_id: string; sealed: Buffer }[]>(
      'SELECT key_id, sealed FROM ai_provider_keys WHERE tenant_id = $1 AND provider = $2',
      [tenantId, provider],
    );
    if (!row) return false;
    const secret = { keyId: row.key_id, sealed: row.sealed };
    try {
      return this.secrets.open(tenantId, purposeOf(provider), secret) === apiKey;
    } catch {
      // Whatever it was, nobody can tell that it is the same.
      return false;
    }
  }

  /** Whatever was wrong was wrong with the key that was there before. */
  private async replaced(em: EntityManager, tenantId: string, provider: string): Promise<void> {
    await em.query('DELETE FROM ai_key_pauses WHERE tenant_id = $1 AND provider = $2', [tenantId, provider]);
    await this.breakers.mend(em, tenantId, { provider, owner: tenantId });
    const change = { what: 'replaced', tenantId, provider } as const;
    afterCommit(em, `key-replaced:${provider}`, () => this.changes.tell(change));
  }
}

/** A key as the audit log shows it; that another took its place shows too where that ends in the same characters. */
function watchedKey(em: EntityManager, tenantId: string, provider: string, isSame: () => boolean): Watched {
  let wasThere = false;
  const view = async (): Promise<object | undefined> => {
    const [key] = await em.query<object[]>(
      `SELECT provider, last_four, base_url, max_concurrency FROM ai_provider_keys WHERE tenant_id = $1 AND provider = $2`,
      [tenantId, provider],
    );
    const isReplaced = wasThere && !isSame();
    wasThere = key !== undefined;
    return key && { ...key, ...(isReplaced && { key_replaced: true }) };
  };
  return { subject: 'ProviderKey', subjectId: provider, view };
}

function checkKey(given: string): string {
  const apiKey = given.trim();
  if (/^[\x21-\x7e]+$/.test(apiKey) && apiKey.length <= MAX_KEY_CHARS) return apiKey;
  const message = `must be 1 to ${MAX_KEY_CHARS} visible ASCII characters: paste the key again`;
  throw new InvalidInputError([{ path: 'api_key', message }]);
}

function toView(row: KeyRow): ProviderKeyView {
  return {
    ...row,
    last_used_at: row.last_used_at?.toISOString() ?? null,
    updated_at: row.updated_at.toISOString(),
  };
}
