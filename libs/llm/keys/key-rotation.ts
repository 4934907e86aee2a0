import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { FieldsmithError } from '#libs/common';
import { SecretBox, TenantTransactions } from '#libs/tenants';
import { purposeOf } from './key-owner.js';

/** What a rotation came to, in numbers of provider keys. */
export interface KeyRotationResult {
  /** Sealed under the current master key by this run. */
  rotated: number;
  /** No known master key opens them. */
  unreadable: number;
}

type Outcome = keyof KeyRotationResult | 'gone';

interface Place {
  tenant_id: string;
  provider: string;
}

const PAGE = 200;
/** Waits for whoever stores another key; one that is sealed anew by then is found no more. */
const LOCK = `
  SELECT key_id, sealed FROM ai_provider_keys
   WHERE tenant_id = $1 AND provider = $2 AND key_id <> $3 FOR UPDATE`;
const RESEAL = 'UPDATE ai_provider_keys SET key_id = $3, sealed = $4 WHERE tenant_id = $1 AND provider = $2';

/**
 * Seals the provider keys of all tenants under the current master key. Each is a transaction of its own and is found by the
 * key that sealed it, so a run may end anywhere, begin again, and go on beside others and beside calls.
 */
@Injectable()
export class KeyRotation {
  private readonly logger = new Logger(KeyRotation.name);

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly tenants: TenantTransactions,
    private readonly secrets: SecretBox,
  ) {}

  /** @param keepOn called before each key; ends the run where it throws. */
  async run(keepOn: () => Promise<void>): Promise<KeyRotationResult> {
    const result: KeyRotationResult = { rotated: 0, unreadable: 0 };
    let after: Place = { tenant_id: '', provider: '' };
    for (;;) {
      const page = await this.next(after);
      for (const place of page) {
        await keepOn();
        const outcome = await this.reseal(place);
        if (outcome !== 'gone') result[outcome] += 1;
      }
      if (page.length < PAGE) return result;
      after = page.at(-1)!;
    }
  }

  private next({ tenant_id: tenant, provider }: Place): Promise<Place[]> {
    const values = [this.secrets.keyId, tenant, provider, PAGE];
    return this.dataSource.query<Place[]>('SELECT * FROM ai_secrets_to_rotate($1, $2, $3, $4)', values);
  }

  private reseal({ tenant_id: tenantId, provider }: Place): Promise<Outcome> {
    const purpose = purposeOf(provider);
    return this.tenants.transaction(tenantId, async (em) => {
      const values = [tenantId, provider, this.secrets.keyId];
      const [row] = await em.query<{ key_id: string; sealed: Buffer }[]>(LOCK, values);
      if (!row) return 'gone';
      try {
        const secret = this.secrets.open(tenantId, purpose, { keyId: row.key_id, sealed: row.sealed });
        const { keyId, sealed } = this.secrets.seal(tenantId, purpose, secret);
        await em.query(RESEAL, [tenantId, provider, keyId, sealed]);
        return 'rotated';
      } catch (error) {
        if (!(error instanceof FieldsmithError)) throw error;
        this.logger.error({ message: error.message, code: error.code, tenant_id: tenantId, provider });
        return 'unreadable';
      }
    });
  }
}
