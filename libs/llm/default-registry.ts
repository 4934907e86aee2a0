import { AnthropicProvider } from './anthropic/anthropic-provider.js';
import { TOOL_NAMES } from './llm-provider.js';
import type { AddedProvider } from './llm.options.js';
import { OpenAiProvider } from './openai/openai-provider.js';
import { ProviderRegistry } from './provider-registry.js';

/** A registry with the providers that come with Fieldsmith; a host may register more. */
export function createDefaultRegistry(): ProviderRegistry {
  return new ProviderRegistry()
    .register(
      new OpenAiProvider({
        name: 'openai',
        label: 'OpenAI',
        ownBaseUrl: 'https://api.openai.com/v1',
        tools: TOOL_NAMES,
      }),
      [
        /^gpt-(?!oss)/, // gpt-oss is served by others only
        /^o[134](-|$)/,
        /^chatgpt-/,
      ],
    )
    .register(new AnthropicProvider(), [/^claude-/])
    .register(new OpenAiProvider({ name: 'openai_compatible', label: 'OpenAI-compatible server' }));
}

/**
 * The same with providers of the host's own.
 *
 * @throws FieldsmithError `duplicate_provider` or `invalid_model_pattern`: the program must not start.
 */
export function createRegistry(added: readonly AddedProvider[] = []): ProviderRegistry {
  const registry = createDefaultRegistry();
  for (const { provider, models } of added) registry.register(provider, models);
  return registry;
}
