import type { Price, TokenPrices, TokenUsageLike } from './price.js';

const INPUT_BUCKETS = ['input', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const;
const BUCKETS = [...INPUT_BUCKETS, 'output'] as const;

/**
 * What a call cost in nano-USD, exactly; undefined if it used a kind of token or a tool without a known
 * price, because nothing is ever billed at a guess.
 *
 * @throws RangeError when a count is not a safe integer of zero or more
 */
export function costOf(price: Price, usage: TokenUsageLike): bigint | undefined {
  const tiers = pricesAt(price, inputTokens(usage));
  const parts = BUCKETS.map((bucket) => charge(usage[bucket], tiers[bucket], bucket));
  return sum([...parts, toolFees(price, usage.toolCalls)]);
}

/** What is known of a call before it is sent. */
export interface HoldBounds {
  /** The most input tokens that what is sent can be, such as its bytes in UTF-8 and the framing. */
  inputTokenBound: number;
  /** The most output tokens that the call allows. */
  maxTokens: number;
  /** The most calls that each provider tool is allowed. */
  toolCaps?: Readonly<Record<string, number>>;
  /** The most that all of them together are allowed, where that is less than the sum; default the sum. */
  toolUses?: number;
}

/**
 * The most that a call can cost in nano-USD: every input token at the dearest known price of an input bucket,
 * in the dearest tier within reach. A provider's tools put what they find into the context and run the model
 * again, so with tools the input is at most the context window once more than they may be called.
 * Undefined if the price of input, of output or of a tool is unknown.
 *
 * @throws RangeError when a bound is not a safe integer of zero or more
 */
export function holdAmount(price: Price, bounds: HoldBounds): bigint | undefined {
  const caps = bounds.toolCaps ?? {};
  const inputBound = boundWithTools(price, bounds);
  const reachable: TokenPrices[] = [price];
  if (price.longContext && inputBound > BigInt(price.longContext.aboveInputTokens))
    reachable.push(price.longContext);
  const tiers = reachable.map((prices) =>
    sum([
      charge(inputBound, dearestInput(prices), 'inputTokenBound'),
      charge(bounds.maxTokens, prices.output, 'maxTokens'),
    ]),
  );
  return sum([dearest(tiers), toolFees(price, caps)]);
}

function inputTokens(usage: TokenUsageLike): bigint {
  return INPUT_BUCKETS.reduce((total, bucket) => total + count(usage[bucket], bucket), 0n);
}

function pricesAt(price: Price, input: bigint): TokenPrices {
  const { longContext } = price;
  return longContext && input > BigInt(longContext.aboveInputTokens) ? longContext : price;
}

function boundWithTools(price: Price, { inputTokenBound, toolCaps = {}, toolUses }: HoldBounds): bigint {
  const sent = count(inputTokenBound, 'inputTokenBound');
  const sum = Object.entries(toolCaps).reduce((total, [tool, cap]) => total + count(cap, tool), 0n);
  const uses = toolUses === undefined ? sum : count(toolUses, 'toolUses');
  const withTools = uses === 0n ? 0n : count(price.contextWindow, 'contextWindow') * (uses + 1n);
  return sent > withTools ? sent : withTools;
}

/** Unknown if plain input is: a cache price alone does not bound it. */
function dearestInput(prices: TokenPrices): bigint | null {
  if (prices.input === null) return null;
  return INPUT_BUCKETS.reduce((most, bucket) => larger(most, prices[bucket] ?? 0n), prices.input);
}

function toolFees(price: Price, calls: Readonly<Record<string, number>>): bigint | undefined {
  const fees = Object.entries(calls).map(([tool, number]) =>
    charge(number, Object.hasOwn(price.tools, tool) ? (price.tools[tool] ?? null) : null, tool),
  );
  return sum(fees);
}

function charge(number: number | bigint, price: bigint | null, what: string): bigint | undefined {
  const units = typeof number === 'bigint' ? number : count(number, what);
  if (units === 0n) return 0n;
  return price === null ? undefined : units * price;
}

function count(number: number, what: string): bigint {
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new RangeError(`${what} must be a safe integer of zero or more, not ${number}`);
  }
  return BigInt(number);
}

function sum(parts: (bigint | undefined)[]): bigint | undefined {
  return parts.reduce(
    (total, part) => (total === undefined || part === undefined ? undefined : total + part),
    0n,
  );
}

function dearest(tiers: (bigint | undefined)[]): bigint | undefined {
  return tiers.reduce(
    (most, tier) => (most === undefined || tier === undefined ? undefined : larger(most, tier)),
    0n,
  );
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
