import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Wakeups } from '#libs/events';
import { EVERYBODY, keyId, KeyChanges, ProviderKeys, readKeyId, type KeyChange } from '#libs/llm';
import { TenantTransactions } from '#libs/tenants';

/** As many jobs as one statement lets go at most; then there may be more. */
const BATCH = 1_000;

const RELEASE = `
  UPDATE ai_jobs SET wait_reason = NULL, wait_key = NULL, error_code = NULL, error_message = NULL,
      run_after = clock_timestamp()
   WHERE tenant_id = $1 AND id IN (SELECT id FROM ai_jobs
     WHERE tenant_id = $1 AND wait_key = ANY ($2) AND status = 'pending' AND wait_reason IS NOT NULL
     LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`;

/**
 * The lines of jobs that wait for a provider key: for a slot, or until it works again. Whoever gives a slot back has the
 * next job called, after the commit and in a statement of its own; keys that nobody waits for cost nothing. The sweeper
 * looks at every line, for calls that were lost with a process.
 */
@Injectable()
export class KeyLines implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(KeyLines.name);
  /** Keys whose line is being looked at, and whether to look again. */
  private readonly looking = new Map<string, { again: boolean; done: Promise<void> }>();
  private closed = false;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly tenants: TenantTransactions,
    private readonly wakeups: Wakeups,
    private readonly keys: ProviderKeys,
    private readonly changes: KeyChanges,
  ) {}

  onModuleInit(): void {
    this.changes.subscribe((change) => this.onChange(change));
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.looking.values()].map(({ done }) => done));
  }

  /** Calls as many jobs of a key's line as slots are free; many calls at once are one look. */
  callNext(key: string): void {
    const running = this.looking.get(key);
    if (running) {
      running.again = true;
      return;
    }
    if (this.closed) return;
    const look = { again: true, done: Promise.resolve() };
    this.looking.set(key, look);
    look.done = this.look(key, look)
      .catch((error: unknown) => this.missed(`key ${key}`, error))
      .finally(() => this.looking.delete(key));
  }

  /** Calls the next of every line there is. */
  async callAll(): Promise<void> {
    const rows = await this.dataSource.query<{ key: string }[]>('SELECT ai_key_lines() AS key');
    for (const { key } of rows) this.callNext(key);
  }

  private async look(key: string, look: { again: boolean }): Promise<void> {
    const { provider, owner } = readKeyId(key);
    const limit = owner === EVERYBODY ? this.keys.sharedLimit(provider) : undefined;
    while (look.again && !this.closed) {
      look.again = false;
      const called = await this.dataSource.query<{ tenant_id: string }[]>(
        'SELECT * FROM ai_call_next($1, $2, $3)',
        [provider, owner, limit ?? null],
      );
      for (const { tenant_id: tenant } of called) this.wakeups.wake('jobs', tenant);
      if (called.length > 0) look.again = true;
    }
  }

  private onChange(change: KeyChange): void {
    if (change.what === 'mended') this.callNext(change.keyId);
    if (change.what !== 'replaced') return;
    const { tenantId, provider } = change;
    this.release(tenantId, provider).catch((error: unknown) => this.missed(`tenant ${tenantId}`, error));
  }

  /** Another key pays this tenant's calls now: what waited for the one before looks for itself. */
  private async release(tenantId: string, provider: string): Promise<void> {
    const keys = [keyId(provider, tenantId), keyId(provider, EVERYBODY)];
    for (let released = BATCH; released === BATCH && !this.closed;) {
      [, released] = await this.tenants.transaction(tenantId, (em) =>
        em.query<[unknown, number]>(RELEASE, [tenantId, keys]),
      );
      if (released > 0) this.wakeups.wake('jobs', tenantId);
    }
  }

  private missed(whose: string, error: unknown): void {
    if (!this.closed) this.logger.warn(`Jobs of ${whose} wait for the sweeper: ${String(error)}`);
  }
}
