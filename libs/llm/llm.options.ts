import type { LlmCredentials, LlmProvider } from './llm-provider.js';

/** A provider of the host's own. */
export interface AddedProvider {
  provider: LlmProvider;
  /** The models that belong to it when a configuration names no provider; without any it is found by name only. */
  models?: RegExp[];
}

/** What the llm module is given by the host. */
export interface LlmOptions {
  /** Keys that tenants without one of their own share, by provider name. */
  globalKeys: Readonly<Record<string, LlmCredentials>>;
  /** Most calls at once with each global key, over all processes and tenants, by provider name; default: any number. */
  globalMaxConcurrency?: Readonly<Record<string, number>>;
  /** The same for the simulator, by each provider that it stands in for. */
  simulatorMaxConcurrency?: number;
  /** Milliseconds after which a key that fails is tried again, with one call, and again; default 5,000. */
  probeIntervalMs?: number;
  /** Base URLs a tenant may name, as origins or origin and path prefix. */
  urlAllowlist: readonly string[];
  /** Where the simulator answers, when it stands in for providers that no key is known for. */
  simulatorUrl?: string;
  /** Providers of the host's own, besides those that come with Fieldsmith. */
  providers?: readonly AddedProvider[];
  /** Milliseconds that one call may take. */
  timeoutMs: number;
}

/** Nest token of the {@link LlmOptions}. */
export const LLM_OPTIONS = Symbol('LLM_OPTIONS');
