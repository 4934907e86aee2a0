import { OpenAiProvider } from './openai/openai-provider.js';
import { ProviderRegistry } from './provider-registry.js';

/** A registry with the providers that come with Fieldsmith; a host may register more. */
export function createDefaultRegistry(): ProviderRegistry {
  return new ProviderRegistry()
    .register(
      new OpenAiProvider({ name: 'openai', label: 'OpenAI', ownBaseUrl: 'https://api.openai.com/v1' }),
      [
        /^gpt-(?!oss)/, // gpt-oss is served by others only
        /^o[134](-|$)/,
        /^chatgpt-/,
      ],
    )
    .register(new OpenAiProvider({ name: 'openai_compatible', label: 'OpenAI-compatible server' }));
}
