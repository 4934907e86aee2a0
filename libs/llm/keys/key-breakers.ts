import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Wakeups } from '#libs/events';
import { afterCommit, TenantTransactions } from '#libs/tenants';
import type { LlmError } from '../llm-error.js';
import { LLM_OPTIONS, type LlmOptions } from '../llm.options.js';
import { KeyChanges } from './key-changes.js';
import { FAILURES_TO_OPEN, reasonOf } from './key-evidence.js';
import { EVERYBODY, keyId } from './key-owner.js';

/** One key: a tenant's own, or the one of {@link EVERYBODY}. */
export interface KeyRef {
  provider: string;
  owner: string;
}

/** What a job that met an open breaker must know to wait. */
export interface OpenBreaker {
  /** Milliseconds until the next call is let through; 0 where it is time. */
  probeInMs: number;
  reason: string;
}

interface FailedRow {
  failures: number;
  probe_in_ms: number | null;
  reason: string;
}

const PROBE_INTERVAL_MS = 5_000;

const FAILED = `
  INSERT INTO ai_key_breakers AS b (tenant_id, provider, failures, reason_code, reason) VALUES ($1, $2, 1, $3, $4)
  ON CONFLICT (tenant_id, provider) DO UPDATE SET failures = b.failures + 1, reason_code = excluded.reason_code,
    reason = excluded.reason,
    opened_at = CASE WHEN b.failures + 1 >= $5::int THEN coalesce(b.opened_at, clock_timestamp()) END,
    probe_at = CASE WHEN b.failures + 1 >= $5::int
                    THEN greatest(b.probe_at, clock_timestamp() + make_interval(secs => $6::float8 / 1000)) END
  RETURNING failures, reason,
    greatest(0, extract(epoch FROM probe_at - clock_timestamp()) * 1000)::float8 AS probe_in_ms`;

const MENDED = `
  DELETE FROM ai_key_breakers WHERE tenant_id = $1 AND provider = $2 RETURNING opened_at IS NOT NULL AS was_open`;

/** Takes the probe that is due: of any number who try at once, in any process, one gets the row. */
const PROBE = `
  UPDATE ai_key_breakers SET probe_at = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
   WHERE tenant_id = $1 AND provider = $2 AND opened_at IS NOT NULL AND probe_at <= clock_timestamp() RETURNING 1`;

const STATE = `
  SELECT opened_at IS NOT NULL AS open, reason,
         greatest(0, extract(epoch FROM probe_at - clock_timestamp()) * 1000)::float8 AS probe_in_ms
    FROM ai_key_breakers WHERE tenant_id = $1 AND provider = $2`;

/**
 * A breaker for each key, own or global. It opens after {@link FAILURES_TO_OPEN} refusals in a row; while it is open one
 * call in each interval is let through, and the first that shows that the key works closes it. The state is a row in the
 * database that exists only while something is wrong: calls with a healthy key read and write nothing here.
 */
@Injectable()
export class KeyBreakers {
  private readonly logger = new Logger(KeyBreakers.name);
  /** Keys that this process knows to have failed lately: only for these a success is worth a statement. */
  private readonly suspects = new Set<string>();

  constructor(
    private readonly tenants: TenantTransactions,
    private readonly wakeups: Wakeups,
    private readonly changes: KeyChanges,
    @Inject(LLM_OPTIONS) private readonly options: LlmOptions,
  ) {}

  /** Milliseconds between two probes of one key. */
  get probeIntervalMs(): number {
    return this.options.probeIntervalMs ?? PROBE_INTERVAL_MS;
  }

  /** Notes that a key was read with failures behind it. */
  suspect({ provider, owner }: KeyRef): void {
    this.suspects.add(keyId(provider, owner));
  }

  isSuspect({ provider, owner }: KeyRef): boolean {
    return this.suspects.has(keyId(provider, owner));
  }

  /**
   * Notes a failure of the key itself.
   *
   * @returns the breaker where it was open before this failure; undefined where the failure stands for itself.
   */
  async failed(tenantId: string, key: KeyRef, error: LlmError): Promise<OpenBreaker | undefined> {
    this.suspect(key);
    const reason = reasonOf(error, key.owner === EVERYBODY);
    const row = await this.tenants.transaction(tenantId, async (em) => {
      const values = [key.owner, key.provider, error.code, reason, FAILURES_TO_OPEN, this.probeIntervalMs];
      const [noted] = await em.query<FailedRow[]>(FAILED, values);
      if (noted!.failures === FAILURES_TO_OPEN) await this.tell(em, tenantId, key, 'open', error.code);
      return noted!;
    });
    this.changes.tell({ what: 'failed', keyId: keyId(key.provider, key.owner) });
    if (row.failures <= FAILURES_TO_OPEN) return undefined;
    return { probeInMs: Math.ceil(row.probe_in_ms ?? 0), reason: row.reason };
  }

  /** Notes that the key works; writes nothing where nobody knows of a failure. */
  async worked(tenantId: string, key: KeyRef): Promise<void> {
    if (!this.isSuspect(key)) return;
    await this.tenants.transaction(tenantId, (em) => this.mend(em, tenantId, key));
  }

  /** Forgets what was wrong with a key, in the caller's transaction: it works, or another took its place. */
  async mend(em: EntityManager, tenantId: string, key: KeyRef): Promise<void> {
    const [rows] = await em.query<[{ was_open: boolean }[], number]>(MENDED, [key.owner, key.provider]);
    const id = keyId(key.provider, key.owner);
    afterCommit(em, `key-worked:${id}`, () => this.suspects.delete(id));
    if (!rows[0]?.was_open) return;
    await this.tell(em, tenantId, key, 'closed');
    afterCommit(em, `key-mended:${id}`, () => this.changes.tell({ what: 'mended', keyId: id }));
  }

  /** Lets one call in each interval pass an open breaker. @returns the breaker where the call must wait. */
  async admit(tenantId: string, key: KeyRef): Promise<OpenBreaker | undefined> {
    return this.tenants.transaction(tenantId, async (em) => {
      const { owner, provider } = key;
      const [, admitted] = await em.query<[unknown, number]>(PROBE, [owner, provider, this.probeIntervalMs]);
      if (admitted > 0) return undefined;
      const [row] = await em.query<{ open: boolean; reason: string; probe_in_ms: number }[]>(STATE, [
        owner,
        provider,
      ]);
      return row?.open ? { probeInMs: Math.ceil(row.probe_in_ms), reason: row.reason } : undefined;
    });
  }

  /** The probe was not made for a reason of the job's own: the next job may make it at once. */
  async giveBackProbe(tenantId: string, { owner, provider }: KeyRef): Promise<void> {
    await this.tenants.transaction(tenantId, (em) =>
      em.query(
        `UPDATE ai_key_breakers SET probe_at = clock_timestamp()
          WHERE tenant_id = $1 AND provider = $2 AND opened_at IS NOT NULL`,
        [owner, provider],
      ),
    );
  }

  /** Tells the tenant that saw it, and all that wait for the key. */
  private async tell(
    em: EntityManager,
    tenantId: string,
    { provider, owner }: KeyRef,
    state: 'open' | 'closed',
    code?: string,
  ): Promise<void> {
    const source = owner === EVERYBODY ? 'global' : 'tenant';
    const payload = JSON.stringify({ provider, source, state, error_code: code });
    const told = await em.query<{ id: string }[]>('SELECT ai_tell_key_changed($1, $2, $3) AS id', [
      tenantId,
      keyId(provider, owner),
      payload,
    ]);
    afterCommit(em, `key-told:${keyId(provider, owner)}`, () => {
      for (const { id } of told) this.wakeups.wake('events', id);
      this.logger.warn({ message: `provider key breaker ${state}`, provider, source, owner, state, code });
    });
  }
}
