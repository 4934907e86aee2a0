import { InvalidInputError, type ErrorDetail } from '#libs/common';
import { dayOf, entryOf, type PriceEntry } from './price-entry.js';
import type { Price } from './price.js';
import { readPrices } from './read-prices.js';

/** A price as a tenant gives it. */
export interface GivenPrice {
  provider: string;
  model: string;
  effective_from?: string | null;
  context_window?: number | null;
  input?: number | null;
  cache_read?: number | null;
  cache_write_5m?: number | null;
  cache_write_1h?: number | null;
  output?: number | null;
  long_context?: object | null;
  tools?: Record<string, number | null> | null;
}

/** A dollar for a token, a thousand for the use of a tool, a hundred million tokens: with more, sums would leave `bigint`. */
const MOST_PER_TOKEN = 1_000_000_000;
const MOST_PER_CALL = 1_000_000_000_000;
const LARGEST_WINDOW = 100_000_000;
const TOKEN_KEYS = ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output'] as const;

/**
 * Completes a price that a tenant gives and checks it. What is left out is that of the price in force so far, so that
 * giving the fee of one tool is enough; prices of long context only where no price of a token is given.
 *
 * @param known the price in force so far, if any.
 * @throws InvalidInputError naming each faulty member.
 */
export function ownPrice(given: GivenPrice, known: Price | undefined, today: Date): PriceEntry {
  const {
    long_context: knownLong,
    source: _source,
    effective_to: _end,
    ...rest
  } = known ? entryOf(known) : BLANK;
  const members = Object.fromEntries(Object.entries(given).filter(isGiven));
  const tokensGiven = TOKEN_KEYS.some((key) => given[key] !== undefined);
  const entry = {
    ...rest,
    ...(knownLong && !tokensGiven ? { long_context: knownLong } : {}),
    effective_from: dayOf(today),
    ...members,
    tools: { ...rest.tools, ...given.tools },
  };
  const errors = [...faultsOf(entry), ...sizeFaults(entry)];
  if (errors.length > 0) throw new InvalidInputError(errors);
  return entry as PriceEntry;
}

/** `null` is a price that is not published, and anywhere else nothing. */
function isGiven([key, value]: [string, unknown]): boolean {
  return value !== undefined && (value !== null || TOKEN_KEYS.some((token) => token === key));
}

const BLANK: Partial<PriceEntry> & { tools: PriceEntry['tools'] } = {
  cache_read: null,
  cache_write_5m: null,
  cache_write_1h: null,
  tools: {},
};

/** What reading finds, at the paths of the request. */
function faultsOf(entry: object): ErrorDetail[] {
  try {
    readPrices({ models: [entry] }, 'tenant:');
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    return error.errors.map(({ path, message }) => ({ path: path.replace(/^models\[0\]\.?/, ''), message }));
  }
}

function sizeFaults(entry: object): ErrorDetail[] {
  const { tools, long_context: long = {}, context_window: window } = entry as Record<string, unknown>;
  const tokens = (prices: unknown, prefix: string) =>
    TOKEN_KEYS.map((key): [string, unknown, number] => [
      `${prefix}${key}`,
      (prices as Record<string, unknown>)[key],
      MOST_PER_TOKEN,
    ]);
  const fees = Object.entries(tools as object).map(([key, fee]): [string, unknown, number] => [
    `tools.${key}`,
    fee,
    MOST_PER_CALL,
  ]);
  const bounded: [string, unknown, number][] = [
    ...tokens(entry, ''),
    ...tokens(long, 'long_context.'),
    ...fees,
    ['context_window', window, LARGEST_WINDOW],
  ];
  return bounded
    .filter(([, value, most]) => typeof value === 'number' && value > most)
    .map(([path, , most]) => ({ path, message: `must be at most ${most.toLocaleString('en-US')}` }));
}
