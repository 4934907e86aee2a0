import { InvalidInputError } from '#libs/common';
import { findPrice } from './find-price.js';
import { readPrices } from './read-prices.js';
import { loadShippedPrices } from './shipped-prices.js';

const ENTRY = {
  provider: 'acme',
  model: 'm',
  aliases: ['m-2026-01-01'],
  effective_from: '2026-01-01',
  effective_to: '2026-06-01',
  context_window: 1000,
  input: 3,
  cache_read: null,
  cache_write_5m: null,
  cache_write_1h: null,
  output: 15,
  tools: { web_search_per_call: 7 },
};
const LATER = { ...ENTRY, effective_from: '2026-06-01', effective_to: undefined, input: 4 };

describe('readPrices', () => {
  it('reads amounts as bigint, dates as midnight UTC and tools by name', () => {
    expect(readPrices({ models: [ENTRY] }, 'tenant:')).toEqual([
      {
        id: 'tenant:acme/m@2026-01-01',
        provider: 'acme',
        model: 'm',
        aliases: ['m-2026-01-01'],
        effectiveFrom: new Date('2026-01-01T00:00:00Z'),
        effectiveTo: new Date('2026-06-01T00:00:00Z'),
        contextWindow: 1000,
        input: 3n,
        cacheRead: null,
        cacheWrite5m: null,
        cacheWrite1h: null,
        output: 15n,
        tools: { web_search: 7n },
      },
    ]);
  });

  it.each<[string, object, string]>([
    ['an unknown key', { effective_too: '2026-01-01' }, 'models[1].effective_too'],
    ['a missing price', { input: undefined }, 'models[1].input'],
    ['a fraction of a nano-dollar', { input: 0.5 }, 'models[1].input'],
    ['a negative price', { output: -1 }, 'models[1].output'],
    ['an amount as text', { output: '15' }, 'models[1].output'],
    ['a day that does not exist', { effective_from: '2026-02-30' }, 'models[1].effective_from'],
    ['an end before the beginning', { effective_to: '2026-06-01' }, 'models[1].effective_to'],
    ['no context window', { context_window: 0 }, 'models[1].context_window'],
    ['a missing model', { model: '' }, 'models[1].model'],
    ['aliases that are no list', { aliases: 'x' }, 'models[1].aliases'],
    ['a tool fee of unknown unit', { tools: { web_search: 1 } }, 'models[1].tools.web_search'],
    ['missing tools', { tools: undefined }, 'models[1].tools'],
    [
      'a long context without prices',
      { long_context: { above_input_tokens: 5 } },
      'models[1].long_context.input',
    ],
    ['a time that another price covers', { effective_from: '2026-05-31' }, 'models[1]'],
    [
      'an alias that another price covers',
      { model: 'm-2026-01-01', aliases: [], effective_from: '2026-05-31' },
      'models[1]',
    ],
  ])('refuses %s and names the entry', (_, change, path) => {
    const errors = errorsOf({ models: [ENTRY, { ...LATER, ...change }] });
    expect(errors.map((error) => error.path)).toContain(path);
  });

  it('names the model too', () => {
    expect(errorsOf({ models: [{ ...ENTRY, input: -1 }] })[0]?.message).toContain('(acme/m)');
  });

  it.each([null, [], {}, { models: {} }, { models: [null] }, { models: ['x'] }])('refuses %j', (data) => {
    expect(errorsOf(data).length).toBeGreaterThan(0);
  });
});

describe('findPrice', () => {
  const prices = readPrices({ models: [ENTRY, LATER] });
  const find = (model: string, at: string, provider = 'acme'): bigint | null | undefined =>
    findPrice(prices, { provider, model, at: new Date(at) })?.input;

  it('applies a price from its first moment until just before its end', () => {
    expect(find('m', '2025-12-31T23:59:59.999Z')).toBeUndefined();
    expect(find('m', '2026-01-01T00:00:00Z')).toBe(3n);
    expect(find('m', '2026-05-31T23:59:59.999Z')).toBe(3n);
    expect(find('m', '2026-06-01T00:00:00Z')).toBe(4n);
    expect(find('m', '2030-01-01T00:00:00Z')).toBe(4n);
  });

  it('matches ids and listed aliases exactly', () => {
    expect(find('m-2026-01-01', '2026-07-01')).toBe(4n);
    for (const model of ['M', 'm-2026', 'm-2026-01-02', ''])
      expect(find(model, '2026-07-01')).toBeUndefined();
    expect(find('m', '2026-07-01', 'other')).toBeUndefined();
  });

  it('lets the prices that come first win', () => {
    const own = readPrices({ models: [{ ...LATER, input: 1 }] }, 'tenant:');
    const query = { provider: 'acme', model: 'm', at: new Date('2026-07-01') };
    expect(findPrice([...own, ...prices], query)?.id).toBe('tenant:acme/m@2026-06-01');
    expect(findPrice([...own, ...prices], { ...query, at: new Date('2026-02-01') })?.id).toBe(
      'acme/m@2026-01-01',
    );
  });
});

describe('the shipped prices', () => {
  const shipped = loadShippedPrices();

  it('are each named once', () => {
    expect(new Set(shipped.map(({ id }) => id)).size).toBe(shipped.length);
    expect(shipped.length).toBeGreaterThan(30);
  });

  it('hold the change of a price at its date', () => {
    const at = (time: string): string | undefined =>
      findPrice(shipped, { provider: 'anthropic', model: 'claude-sonnet-5-5', at: new Date(time) })?.id;
    expect(at('2026-10-06T23:59:59.999Z')).toBe('anthropic/claude-sonnet-5-5@2026-01-01');
    expect(at('2026-10-07T00:00:00Z')).toBe('anthropic/claude-sonnet-5-5@2026-10-07');
  });

  it('know cached input of gpt-4o-mini and its tools', () => {
    const price = findPrice(shipped, {
      provider: 'openai',
      model: 'gpt-4o-mini',
      at: new Date('2026-11-20'),
    });
    expect(price).toMatchObject({
      input: 150n,
      cacheRead: 75n,
      output: 600n,
      tools: { web_search: 10_000_000n },
    });
  });
});

function errorsOf(data: unknown): InvalidInputError['errors'] {
  try {
    readPrices(data);
  } catch (error) {
    if (error instanceof InvalidInputError) return error.errors;
    throw error;
  }
  return [];
}
