export { checkAllowlist, checkBaseUrl, type BaseUrlPolicy } from './base-url-policy.js';
export { createDefaultRegistry } from './default-registry.js';
export { LlmError, type LlmBilling, type LlmErrorFacts, type LlmErrorKind } from './llm-error.js';
export type {
  LlmAnswer,
  LlmCredentials,
  LlmMessage,
  LlmProvider,
  LlmRequest,
  ResponseSchema,
  TokenUsage,
} from './llm-provider.js';
export { LlmModule } from './llm.module.js';
export { LLM_OPTIONS, type LlmOptions } from './llm.options.js';
export {
  ProviderKeys,
  type KeySource,
  type ProviderKeyView,
  type ResolvedKey,
} from './keys/provider-keys.js';
export { OpenAiProvider, type OpenAiProviderOptions } from './openai/openai-provider.js';
export { ProviderRegistry } from './provider-registry.js';
