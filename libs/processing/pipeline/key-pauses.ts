import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { keyId, LlmError, ProviderKeys } from '#libs/llm';
import type { PreparedCall } from './prepare-call.js';
import { KeyPaused, pauseOf } from './retry-policy.js';

/** Pauses that providers ask for, whoever made the call that was refused; they hold for every further call. */
@Injectable()
export class KeyPauses {
  constructor(private readonly keys: ProviderKeys) {}

  /** @throws KeyPaused while the provider asked to be left alone. */
  requireNone({ key, provider }: Pick<PreparedCall, 'key' | 'provider'>): void {
    if (!key.pausedUntil) return;
    const pauseMs = Math.max(0, key.pausedUntil.getTime() - Date.now());
    throw new KeyPaused(keyId(provider.name, key.ref.owner), pauseMs, provider.name);
  }

  /** Notes the pause that a failed call was asked for, if any. */
  async note(
    em: EntityManager,
    tenantId: string,
    { key, provider }: Pick<PreparedCall, 'key' | 'provider'>,
    error: unknown,
  ): Promise<void> {
    if (!(error instanceof LlmError) || error.kind !== 'rate_limit') return;
    await this.keys.pause(em, tenantId, provider.name, key.source, pauseOf(error));
  }
}
