import type { Price } from '#libs/accounting';
import { createDefaultRegistry } from '#libs/llm';
import { toolNameErrors, toolTermErrors } from './check-tools.js';
import { toolsOf } from './field-tools.js';

const registry = createDefaultRegistry();
const providers = registry.names().map((name) => registry.byName(name));
const price = { tools: { web_search: 10_000_000n } } as unknown as Price;
const config = (allowed_tools: string[], more: object = {}) => ({
  prompt: 'x',
  enable_tools: true,
  allowed_tools,
  ...more,
});
const terms = (provider: string, more: object = {}) => ({
  provider: registry.byName(provider),
  providers,
  model: 'm',
  price,
  limited: true,
  ...more,
});
const messages = (errors: { message: string }[]) => errors.map(({ message }) => message);

describe('toolsOf', () => {
  it('is on by the word of the field, or else of the tenant', () => {
    const { enable_tools: _on, ...silent } = config(['web_search']);
    const use = { names: ['web_search'], maxUses: 3 };
    expect(toolsOf(silent, { enableTools: false })).toBeUndefined();
    expect(toolsOf(silent, { enableTools: true })).toEqual(use);
    expect(toolsOf(config(['web_search']), { enableTools: false })).toEqual(use);
    expect(toolsOf(config(['web_search'], { enable_tools: false }), { enableTools: true })).toBeUndefined();
    expect(toolsOf({ prompt: 'x' }, { enableTools: true })).toBeUndefined();
  });

  it('does not depend on order or repetition', () => {
    const stores = { vector_store_ids: ['vs_1'], max_tool_calls: 7 };
    const expected = { names: ['web_search', 'file_search'], maxUses: 7, vectorStoreIds: ['vs_1'] };
    for (const names of [
      ['file_search', 'web_search'],
      ['web_search', 'file_search', 'web_search'],
    ])
      expect(toolsOf(config(names, stores), { enableTools: false })).toEqual(expected);
  });
});

describe('toolNameErrors', () => {
  it.each<[string, ReturnType<typeof config>, string[]]>([
    ['nothing wrong', config(['web_search']), []],
    ['a name that is none', config(['browse']), ['ai_config.allowed_tools']],
    ['no names', config([]), ['ai_config.allowed_tools']],
    ['no stores', config(['file_search']), ['ai_config.vector_store_ids']],
    ['no stores, and off', config(['file_search'], { enable_tools: false }), []],
  ])('tells %s', (_what, given, paths) => {
    expect(toolNameErrors(given).map(({ path }) => path)).toEqual(paths);
  });
});

describe('toolTermErrors', () => {
  it('names who has a tool that the provider lacks', () => {
    expect(messages(toolTermErrors(config(['file_search']), terms('anthropic')))).toEqual([
      'names file_search, which anthropic does not have: use web_search or code_interpreter, or a model of openai',
    ]);
    expect(messages(toolTermErrors(config(['web_search']), terms('openai_compatible')))).toEqual([
      'names web_search, which openai_compatible does not have: leave tools out, or a model of openai or anthropic',
    ]);
  });

  it('refuses a fee that nobody knows under a budget, and names what can be done', () => {
    const asked = config(['web_search', 'code_interpreter']);
    const [message] = messages(toolTermErrors(asked, terms('openai')));
    expect(message).toContain('names code_interpreter, whose fee is not known for "m"');
    expect(message).toContain('"code_interpreter_per_call"');
    expect(message).toContain('or use web_search');
    expect(toolTermErrors(asked, terms('openai', { limited: false }))).toEqual([]);
    expect(toolTermErrors(config(['web_search']), terms('openai'))).toEqual([]);
  });
});
