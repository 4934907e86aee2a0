import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { EntryReader } from './entry-reader.js';
import type { Price, TokenPrices } from './price.js';

const TOOL_SUFFIX = '_per_call';
const TOKEN_KEYS = ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output'];
const KEYS = [
  ...['provider', 'model', 'aliases', 'effective_from', 'effective_to', 'context_window', ...TOKEN_KEYS],
  ...['long_context', 'batch_multiplier', 'tools', 'source'],
];

/**
 * Reads prices in the form of `model-prices.json`: amounts in whole nano-USD, dates as `YYYY-MM-DD` at
 * midnight UTC. Two prices of one model must not apply at the same time. `batch_multiplier` is accepted
 * and not used: calls are never sent as batches.
 *
 * @param idPrefix put before each price's id: `tenant:` for a tenant's own
 * @throws InvalidInputError naming each faulty entry by its place and model
 * @example readPrices({ models: rows }, 'tenant:')
 */
export function readPrices(data: unknown, idPrefix = ''): Price[] {
  const models: unknown =
    typeof data === 'object' && data !== null && 'models' in data ? data.models : undefined;
  if (!Array.isArray(models))
    throw new InvalidInputError([{ path: 'models', message: 'must be a list of prices' }]);
  const errors: ErrorDetail[] = [];
  const prices = models.map((entry: unknown, index) =>
    readPrice(new EntryReader(entry, `models[${index}]`, errors), idPrefix),
  );
  if (errors.length === 0) errors.push(...overlaps(prices));
  if (errors.length > 0) throw new InvalidInputError(errors);
  return prices;
}

function readPrice(entry: EntryReader, idPrefix: string): Price {
  entry.refuseUnknown(KEYS);
  const provider = entry.text('provider');
  const model = entry.text('model');
  entry.nameAs(`${provider}/${model}`);
  const effectiveFrom = entry.date('effective_from');
  const effectiveTo = entry.has('effective_to') ? entry.date('effective_to') : undefined;
  if (effectiveTo && effectiveTo <= effectiveFrom)
    entry.fail('effective_to', 'must be later than effective_from');
  const longContext = entry.has('long_context') ? readLongContext(entry.object('long_context')) : undefined;
  return {
    id: `${idPrefix}${provider}/${model}@${entry.text('effective_from')}`,
    provider,
    model,
    ...(entry.has('aliases') && { aliases: entry.texts('aliases') }),
    effectiveFrom,
    ...(effectiveTo && { effectiveTo }),
    contextWindow: entry.count('context_window'),
    ...readTokenPrices(entry),
    ...(longContext && { longContext }),
    tools: readTools(entry.object('tools')),
    ...(entry.has('source') && { source: entry.text('source') }),
  };
}

function readLongContext(entry: EntryReader): Price['longContext'] {
  entry.refuseUnknown(['above_input_tokens', ...TOKEN_KEYS]);
  return { aboveInputTokens: entry.count('above_input_tokens'), ...readTokenPrices(entry) };
}

function readTokenPrices(entry: EntryReader): TokenPrices {
  return {
    input: entry.amount('input'),
    cacheRead: entry.amount('cache_read'),
    cacheWrite5m: entry.amount('cache_write_5m'),
    cacheWrite1h: entry.amount('cache_write_1h'),
    output: entry.amount('output'),
  };
}

/** Fees by the name of the tool: `web_search_per_call` is the fee of `web_search`. */
function readTools(entry: EntryReader): Record<string, bigint> {
  const fees: [string, bigint][] = [];
  for (const key of entry.keys()) {
    if (!key.endsWith(TOOL_SUFFIX)) entry.fail(key, `must end in ${TOOL_SUFFIX}`);
    const fee = entry.amount(key);
    if (fee === null) continue;
    fees.push([key.slice(0, -TOOL_SUFFIX.length), fee]);
  }
  return Object.fromEntries(fees);
}

function overlaps(prices: Price[]): ErrorDetail[] {
  return prices.flatMap((price, index) => {
    const other = prices
      .slice(0, index)
      .find((earlier) => sameModel(earlier, price) && sameTime(earlier, price));
    if (!other) return [];
    return [
      {
        path: `models[${index}]`,
        message: `${price.id} applies at the same time as ${other.id}: end one of them`,
      },
    ];
  });
}

function sameModel(a: Price, b: Price): boolean {
  const names = new Set([a.model, ...(a.aliases ?? [])]);
  return a.provider === b.provider && [b.model, ...(b.aliases ?? [])].some((name) => names.has(name));
}

function sameTime(a: Price, b: Price): boolean {
  const startsBeforeEnd = (x: Price, y: Price): boolean =>
    y.effectiveTo === undefined || x.effectiveFrom < y.effectiveTo;
  return startsBeforeEnd(a, b) && startsBeforeEnd(b, a);
}
