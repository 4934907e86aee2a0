import { Global, Module } from '@nestjs/common';
import { createRegistry } from './default-registry.js';
import { KeyBreakers } from './keys/key-breakers.js';
import { KeyChanges } from './keys/key-changes.js';
import { KeyRotation } from './keys/key-rotation.js';
import { KeyUse } from './keys/key-use.js';
import { OwnKeys } from './keys/own-keys.js';
import { ProviderKeys } from './keys/provider-keys.js';
import { ProviderKeysController } from './keys/provider-keys.controller.js';
import { TenantUrls } from './keys/tenant-urls.js';
import { LLM_OPTIONS, type LlmOptions } from './llm.options.js';
import { ProviderRegistry } from './provider-registry.js';

/** Providers and their keys; expects `LLM_OPTIONS`. */
@Global()
@Module({
  controllers: [ProviderKeysController],
  providers: [
    KeyBreakers,
    KeyChanges,
    KeyRotation,
    KeyUse,
    OwnKeys,
    ProviderKeys,
    TenantUrls,
    {
      provide: ProviderRegistry,
      inject: [LLM_OPTIONS],
      useFactory: ({ providers }: LlmOptions) => createRegistry(providers),
    },
  ],
  exports: [KeyBreakers, KeyChanges, KeyRotation, KeyUse, ProviderKeys, ProviderRegistry],
})
export class LlmModule {}
