import { InvalidInputError } from '#libs/common';
import type { ProviderRegistry } from '#libs/llm';
import { ConfigError } from './config/config.errors.js';

/**
 * The name of the provider that serves the model which tenants start with.
 *
 * @throws ConfigError where none does.
 */
export function providerOfDefault(providers: ProviderRegistry, model: string): string {
  try {
    return providers.forModel(model).name;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const reasons = error.errors.map(({ message }) => message).join(' ');
    throw new ConfigError([`AI_DEFAULT_MODEL is ${JSON.stringify(model)}: ${reasons}`]);
  }
}
