import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { briefError } from '#libs/common';
import { TenantTransactions } from '#libs/tenants';
import type { KeyRef } from './key-breakers.js';
import { KeyChanges } from './key-changes.js';
import { EVERYBODY, keyId } from './key-owner.js';

const MINUTE_MS = 60_000;

const USED = `
  UPDATE ai_provider_keys SET last_used_at = clock_timestamp()
   WHERE tenant_id = $1 AND provider = $2
     AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')`;

/**
 * When a tenant's own key was last used, to the minute: written once a minute at most, beside the job and never waited
 * for. Where that fails the next call after a minute tells.
 */
@Injectable()
export class KeyUse implements OnApplicationShutdown {
  private readonly logger = new Logger(KeyUse.name);
  /** Keys whose use was written within the last minute. */
  private readonly written = new LRUCache<string, true>({ max: 10_000, ttl: MINUTE_MS });
  private readonly writing = new Set<Promise<void>>();

  constructor(
    private readonly tenants: TenantTransactions,
    changes: KeyChanges,
  ) {
    // A new key has not been used yet.
    changes.subscribe((change) => {
      if (change.what === 'replaced') this.written.delete(keyId(change.provider, change.tenantId));
    });
  }

  /** Notes a call that was made with a key; of the keys that tenants share nothing. */
  note({ provider, owner }: KeyRef): void {
    const id = keyId(provider, owner);
    if (owner === EVERYBODY || this.written.has(id)) return;
    this.written.set(id, true);
    const writing: Promise<void> = this.tenants
      .transaction(owner, (em) => em.query(USED, [owner, provider]))
      .then(
        () => undefined,
        (error: unknown) => this.logger.debug(`The use of a key was not noted: ${briefError(error)}`),
      )
      .finally(() => this.writing.delete(writing));
    this.writing.add(writing);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.writing);
  }
}
