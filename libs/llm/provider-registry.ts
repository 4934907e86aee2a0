import { FieldsmithError, InvalidInputError } from '#libs/common';
import type { LlmProvider } from './llm-provider.js';

/**
 * The providers there are, by name and by the models they serve. A host adds its own at boot.
 *
 * @example
 * const registry = createDefaultRegistry().register(new MistralProvider(), [/^mistral-/]);
 * registry.forModel('mistral-large-2'); // the MistralProvider
 */
export class ProviderRegistry {
  private readonly providers = new Map<string, LlmProvider>();
  private readonly patterns: { pattern: RegExp; provider: LlmProvider }[] = [];

  /**
   * Adds a provider and the models that belong to it when a configuration names no provider. Without patterns
   * it is found by name only.
   *
   * @throws FieldsmithError `duplicate_provider` or `invalid_model_pattern`: the program must not start.
   */
  register(provider: LlmProvider, modelPatterns: RegExp[] = []): this {
    const { name } = provider;
    if (this.providers.has(name)) {
      throw new FieldsmithError(
        'duplicate_provider',
        `A provider named "${name}" is registered twice: remove one registration or give one another name.`,
      );
    }
    for (const pattern of modelPatterns) this.checkPattern(pattern, name);
    this.providers.set(name, provider);
    this.patterns.push(...modelPatterns.map((pattern) => ({ pattern, provider })));
    return this;
  }

  /** Names of all providers, in the order of their registration. */
  names(): string[] {
    return [...this.providers.keys()];
  }

  /** @throws InvalidInputError for an unknown name, listing the known ones. */
  byName(name: string): LlmProvider {
    const provider = this.providers.get(name);
    if (provider) return provider;
    const message = `There is no provider ${quoted(name)}: use one of ${this.names().join(', ')}.`;
    throw new InvalidInputError([{ path: 'provider', message }]);
  }

  /** @throws InvalidInputError when no provider, or more than one, serves models of that name. */
  forModel(model: string): LlmProvider {
    const found = new Set(
      this.patterns.filter(({ pattern }) => pattern.test(model)).map(({ provider }) => provider),
    );
    const [provider] = found;
    if (provider && found.size === 1) return provider;
    if (found.size > 1) {
      const names = [...found].map(({ name }) => name).join(', ');
      const message = `The model ${quoted(model)} could be from ${names}: name the provider too.`;
      throw new InvalidInputError([{ path: 'provider', message }]);
    }
    const known = this.patterns.map(({ pattern }) => pattern.source).join(', ');
    const message =
      `No provider is known for the model ${quoted(model)}: name the provider too ` +
      `(${this.names().join(', ')}), or use a model that matches one of ${known}.`;
    throw new InvalidInputError([{ path: 'model', message }]);
  }

  /** The provider a configuration means: the one it names, or else the one its model belongs to. */
  resolve(config: { provider?: string; model: string }): LlmProvider {
    return config.provider === undefined ? this.forModel(config.model) : this.byName(config.provider);
  }

  private checkPattern(pattern: RegExp, name: string): void {
    if (pattern.global || pattern.sticky) {
      throw new FieldsmithError(
        'invalid_model_pattern',
        `The model pattern ${pattern} of provider "${name}" remembers its last match: drop its flags g and y.`,
      );
    }
    const other = this.patterns.find((entry) => String(entry.pattern) === String(pattern));
    if (other) {
      throw new FieldsmithError(
        'duplicate_provider',
        `The model pattern ${pattern} is registered for "${other.provider.name}" and "${name}": keep one of them.`,
      );
    }
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
