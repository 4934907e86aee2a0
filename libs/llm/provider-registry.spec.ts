import { createDefaultRegistry, createRegistry } from './default-registry.js';
import type { LlmProvider } from './llm-provider.js';
import { ProviderRegistry } from './provider-registry.js';

const provider = (name: string) => ({ name }) as LlmProvider;

describe('createDefaultRegistry', () => {
  const registry = createDefaultRegistry();

  it.each(['gpt-4.1-mini', 'gpt-5', 'gpt-6-sol', 'o1', 'o3-mini', 'o4-mini-2025-04-16', 'chatgpt-4o-latest'])(
    'finds OpenAI for %s',
    (model) => {
      expect(registry.forModel(model).name).toBe('openai');
    },
  );

  it.each(['my-claude-opus', 'gpt-oss-120b', 'o30', 'my-gpt-4', ''])(
    'knows nobody for %j and says who there is',
    (model) => {
      expect(() => registry.forModel(model)).toThrow(
        expect.objectContaining({
          status: 422,
          message: expect.stringMatching(/^model: .*openai, anthropic, openai_compatible.*\^gpt-/),
        }),
      );
    },
  );

  it.each(['claude-opus-4-5', 'claude-sonnet-5-5', 'claude-haiku-4-5-20251001'])(
    'finds Anthropic for %s',
    (model) => {
      expect(registry.forModel(model).name).toBe('anthropic');
    },
  );

  it('prefers the provider that a configuration names', () => {
    expect(registry.resolve({ provider: 'openai_compatible', model: 'gpt-4o' }).name).toBe(
      'openai_compatible',
    );
    expect(registry.resolve({ model: 'gpt-4o' }).name).toBe('openai');
    expect(() => registry.resolve({ provider: 'opnai', model: 'gpt-4o' })).toThrow(
      'use one of openai, anthropic, openai_compatible',
    );
  });
});

describe('createRegistry', () => {
  it("adds the host's own, by name and by model, and stops the start where they clash", () => {
    const registry = createRegistry([
      { provider: provider('mistral'), models: [/^mistral-/] },
      { provider: provider('acme') },
    ]);
    expect(registry.forModel('mistral-large-3').name).toBe('mistral');
    expect(registry.byName('acme').name).toBe('acme');
    expect(registry.forModel('gpt-4o').name).toBe('openai');
    expect(() => createRegistry([{ provider: provider('anthropic') }])).toThrow(/registered twice/);
  });
});

describe('ProviderRegistry', () => {
  it('refuses a second provider of one name, and says what to do', () => {
    const registry = new ProviderRegistry().register(provider('a'));
    expect(() => registry.register(provider('a'))).toThrow(/"a" is registered twice: remove one/);
  });

  it('refuses a pattern that another provider has', () => {
    const registry = new ProviderRegistry().register(provider('a'), [/^x-/]);
    expect(() => registry.register(provider('b'), [/^x-/])).toThrow(/"a" and "b": keep one/);
    expect(registry.names()).toEqual(['a']);
  });

  it('refuses a pattern that remembers its last match', () => {
    expect(() => new ProviderRegistry().register(provider('a'), [/^x-/g])).toThrow(/drop its flags/);
  });

  it('asks for the provider when a model could be from two', () => {
    const registry = new ProviderRegistry().register(provider('a'), [/^x-/]).register(provider('b'), [/-y$/]);
    expect(() => registry.forModel('x-y')).toThrow(/provider: .* could be from a, b/);
    expect(registry.forModel('x-z').name).toBe('a');
  });
});
