export { AnthropicProvider } from './anthropic/anthropic-provider.js';
export {
  checkAllowlist,
  checkBaseUrl,
  connectPolicy,
  type BaseUrlPolicy,
  type ConnectPolicy,
} from './base-url-policy.js';
export { createDefaultRegistry, createRegistry } from './default-registry.js';
export { LlmError, type LlmBilling, type LlmErrorFacts, type LlmErrorKind } from './llm-error.js';
export {
  TOOL_NAMES,
  type Citation,
  type Continuation,
  type LlmAnswer,
  type LlmCredentials,
  type LlmMessage,
  type LlmProvider,
  type LlmRequest,
  type ResponseSchema,
  type TokenUsage,
  type ToolBounds,
  type ToolName,
  type ToolUse,
} from './llm-provider.js';
export { LlmModule } from './llm.module.js';
export { LLM_OPTIONS, type AddedProvider, type LlmOptions } from './llm.options.js';
export { breakerStates, type BreakerState } from './keys/breaker-states.js';
export { KeyBreakers, type KeyRef, type OpenBreaker } from './keys/key-breakers.js';
export { KeyChanges, type KeyChange } from './keys/key-changes.js';
export { keyEvidence } from './keys/key-evidence.js';
export { EVERYBODY, keyId, readKeyId, type KeySource } from './keys/key-owner.js';
export { KeyRotation, type KeyRotationResult } from './keys/key-rotation.js';
export { KeyUse } from './keys/key-use.js';
export type { NewKey, ProviderKeyView } from './keys/own-keys.js';
export { ProviderKeys, type KeyLimit, type ResolvedKey } from './keys/provider-keys.js';
export { OpenAiProvider, type OpenAiProviderOptions } from './openai/openai-provider.js';
export { ProviderRegistry } from './provider-registry.js';
