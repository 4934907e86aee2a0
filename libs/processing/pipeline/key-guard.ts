import { Injectable, Logger } from '@nestjs/common';
import { loggableError } from '#libs/common';
import { keyEvidence, KeyBreakers, keyId, KeyUse, LlmError, type KeyRef, type OpenBreaker } from '#libs/llm';
import { KeyFailing } from './retry-policy.js';

/** Stands before and after each call for its key: holds calls back while the key fails, and notes its use and what a call shows. */
@Injectable()
export class KeyGuard {
  private readonly logger = new Logger(KeyGuard.name);

  constructor(
    private readonly breakers: KeyBreakers,
    private readonly use: KeyUse,
  ) {}

  /** What a job that meets an open breaker ends its attempt with. */
  failing({ provider, owner }: KeyRef, { probeInMs, reason }: OpenBreaker): KeyFailing {
    const probe = { inMs: probeInMs, everyMs: this.breakers.probeIntervalMs };
    return new KeyFailing(keyId(provider, owner), provider, probe, reason);
  }

  /** Lets a call pass an open breaker as its probe. @throws KeyFailing where another one is the probe. */
  async admit(tenantId: string, key: KeyRef): Promise<void> {
    const breaker = await this.breakers.admit(tenantId, key);
    if (breaker) throw this.failing(key, breaker);
  }

  /** The call that was let through was not made. */
  async giveBack(tenantId: string, key: KeyRef): Promise<void> {
    await this.breakers.giveBackProbe(tenantId, key);
  }

  /**
   * Notes what a call shows of its key.
   *
   * @returns what the job ends its attempt with instead of the error, where the breaker was open: it waits.
   */
  async note(tenantId: string, key: KeyRef, error?: unknown): Promise<KeyFailing | undefined> {
    this.use.note(key);
    try {
      const evidence = keyEvidence(error);
      if (evidence === 'works') await this.breakers.worked(tenantId, key);
      if (evidence !== 'fails' || !(error instanceof LlmError)) return undefined;
      const breaker = await this.breakers.failed(tenantId, key, error);
      return breaker && this.failing(key, breaker);
    } catch (failure) {
      // What was paid for must be recorded, whatever becomes of this.
      this.logger.warn({
        message: 'key state was not noted',
        tenant_id: tenantId,
        provider: key.provider,
        err: loggableError(failure),
      });
      return undefined;
    }
  }
}
