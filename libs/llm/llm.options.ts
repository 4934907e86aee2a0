import type { LlmCredentials } from './llm-provider.js';

/** What the llm module is given by the host. */
export interface LlmOptions {
  /** Keys that tenants without one of their own share, by provider name. */
  globalKeys: Readonly<Record<string, LlmCredentials>>;
  /** Base URLs a tenant may name, as origins or origin and path prefix. */
  urlAllowlist: readonly string[];
  /** Where the simulator answers, when it stands in for providers that no key is known for. */
  simulatorUrl?: string;
  /** Milliseconds that one call may take. */
  timeoutMs: number;
}

/** Nest token of the {@link LlmOptions}. */
export const LLM_OPTIONS = Symbol('LLM_OPTIONS');
