import { Global, Module } from '@nestjs/common';
import { createDefaultRegistry } from './default-registry.js';
import { ProviderKeys } from './keys/provider-keys.js';
import { ProviderKeysController } from './keys/provider-keys.controller.js';
import { ProviderRegistry } from './provider-registry.js';

/** Providers and their keys; expects `LLM_OPTIONS`. */
@Global()
@Module({
  controllers: [ProviderKeysController],
  providers: [ProviderKeys, { provide: ProviderRegistry, useFactory: createDefaultRegistry }],
  exports: [ProviderKeys, ProviderRegistry],
})
export class LlmModule {}
