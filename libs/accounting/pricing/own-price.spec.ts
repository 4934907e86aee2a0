import { InvalidInputError } from '#libs/common';
import { ownPrice, type GivenPrice } from './own-price.js';
import { entryOf } from './price-entry.js';
import { readPrices } from './read-prices.js';
import { loadShippedPrices } from './shipped-prices.js';

const TODAY = new Date('2026-11-20T12:00:00Z');
const LONG = {
  above_input_tokens: 100,
  input: 6,
  cache_read: null,
  cache_write_5m: null,
  cache_write_1h: null,
  output: 30,
};
const ENTRY = {
  provider: 'acme',
  model: 'm',
  effective_from: '2026-01-01',
  effective_to: '2026-12-01',
  context_window: 1000,
  input: 3,
  cache_read: 1,
  cache_write_5m: null,
  cache_write_1h: null,
  output: 15,
  long_context: LONG,
  tools: { web_search_per_call: 7 },
  source: 'the page',
};
const [KNOWN] = readPrices({ models: [ENTRY] });

describe('entryOf', () => {
  it('is the way back of reading, for every shipped price', () => {
    for (const price of loadShippedPrices())
      expect(readPrices({ models: [entryOf(price)] })).toEqual([price]);
  });
});

describe('ownPrice', () => {
  it('adds the fee of a tool to what is known, from today on', () => {
    const tools = { code_interpreter_per_call: 30_000_000 };
    const { effective_to: _end, source: _source, ...rest } = ENTRY;
    expect(ownPrice({ provider: 'acme', model: 'm', tools }, KNOWN, TODAY)).toEqual({
      ...rest,
      effective_from: '2026-11-20',
      tools: { ...ENTRY.tools, ...tools },
    });
  });

  it('leaves the prices of long context behind where a price of a token is given', () => {
    const entry = ownPrice(
      { provider: 'acme', model: 'm', input: 2, effective_from: '2026-10-01' },
      KNOWN,
      TODAY,
    );
    expect(entry).toMatchObject({ input: 2, output: 15, effective_from: '2026-10-01' });
    expect(entry).not.toHaveProperty('long_context');
    const whole = { provider: 'acme', model: 'm', input: 2, long_context: LONG };
    expect(ownPrice(whole, KNOWN, TODAY)).toMatchObject({ long_context: LONG });
  });

  it('needs the window and the prices of a model that nobody knows', () => {
    const given = {
      provider: 'openai_compatible',
      model: 'llama',
      context_window: 8192,
      input: 0,
      output: 0,
    };
    expect(ownPrice(given, undefined, TODAY)).toEqual({
      ...given,
      effective_from: '2026-11-20',
      cache_read: null,
      cache_write_5m: null,
      cache_write_1h: null,
      tools: {},
    });
  });

  it('takes null for a price that there is not, and anywhere else for nothing', () => {
    const given = { provider: 'acme', model: 'm', cache_read: null, tools: null, context_window: null };
    const entry = ownPrice({ ...given, long_context: null, effective_from: null }, KNOWN, TODAY);
    expect(entry).toMatchObject({ cache_read: null, input: 3, context_window: 1000, tools: ENTRY.tools });
    expect(entry.effective_from).toBe('2026-11-20');
  });

  it.each<[string, Partial<GivenPrice>, string[]]>([
    ['nothing but a name', {}, ['context_window', 'input', 'output']],
    ['a negative price', { context_window: 1, input: -1, output: 1 }, ['input']],
    ['a price beyond reason', { context_window: 1, input: 1e10, output: 1 }, ['input']],
    ['a window beyond reason', { context_window: 1e9, input: 1, output: 1 }, ['context_window']],
    [
      'a fee beyond reason',
      { context_window: 1, input: 1, output: 1, tools: { x_per_call: 1e13 } },
      ['tools.x_per_call'],
    ],
    ['a fee by another name', { context_window: 1, input: 1, output: 1, tools: { x: 1 } }, ['tools.x']],
    [
      'a day that is none',
      { context_window: 1, input: 1, output: 1, effective_from: '2026-02-30' },
      ['effective_from'],
    ],
  ])('refuses %s', (_what, given, paths) => {
    const put = () => ownPrice({ provider: 'acme', model: 'new', ...given }, undefined, TODAY);
    const errors = paths.map((path) => expect.objectContaining({ path }));
    expect(put).toThrow(InvalidInputError);
    expect(put).toThrow(expect.objectContaining({ errors }));
  });
});
