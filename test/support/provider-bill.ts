import type { ReceivedRequest } from '#libs/llm-simulator';

/** Nano-USD a token, of what is charged by the token. */
interface Rates {
  input: bigint;
  cacheRead?: bigint;
  write5m?: bigint;
  write1h?: bigint;
  output: bigint;
}

/** What a model costs, copied by hand from the providers' price pages as `model-prices.json` has them. */
export interface BilledModel extends Rates {
  /** Beyond so many input tokens, cached ones included, other rates hold for all of them. */
  long?: Rates & { above: number };
}

/** Nano-USD for one use, the same at both providers where both have it. */
const SEARCH = 10_000_000n;
const FILE_SEARCH = 2_500_000n;

const MODELS: Readonly<Record<string, BilledModel>> = {
  'gpt-4o-mini': { input: 150n, cacheRead: 75n, output: 600n },
  'claude-haiku-4-5': { input: 1000n, cacheRead: 100n, write5m: 1250n, write1h: 2000n, output: 5000n },
  'gpt-5.4': {
    input: 2500n,
    cacheRead: 250n,
    output: 15_000n,
    long: { above: 272_000, input: 5000n, cacheRead: 500n, output: 22_500n },
  },
  'claude-sonnet-4-5': {
    input: 3000n,
    cacheRead: 300n,
    write5m: 3750n,
    write1h: 6000n,
    output: 15_000n,
    long: {
      above: 200_000,
      input: 6000n,
      cacheRead: 600n,
      write5m: 7500n,
      write1h: 12_000n,
      output: 22_500n,
    },
  },
};

/**
 * What a provider bills for one request by its own account, in nano-USD: nothing where it told no usage.
 *
 * @param agreed what the tenant pays at the time of the request, where that is something else.
 */
export function billOf({ body, answer }: ReceivedRequest, agreed?: BilledModel): bigint {
  const usage = answer?.usage;
  if (!usage) return 0n;
  const { model } = body as { model: string };
  const rates = agreed ?? MODELS[model];
  if (!rates) throw new Error(`There is no price of ${model} here.`);
  const input =
    usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens;
  const tier = rates.long && input > rates.long.above ? rates.long : rates;
  const parts: [number, bigint | undefined][] = [
    [usage.input_tokens, tier.input],
    [usage.cache_read_tokens, tier.cacheRead],
    [usage.cache_write_tokens, tier.write5m],
    [usage.cache_write_1h_tokens, tier.write1h],
    [usage.output_tokens, tier.output],
    [usage.web_searches, SEARCH],
    [usage.file_searches, FILE_SEARCH],
  ];
  return parts.reduce((sum, [count, rate]) => {
    if (count === 0) return sum;
    if (rate === undefined) throw new Error(`${model} has no price for a part of what it was asked.`);
    return sum + BigInt(count) * rate;
  }, 0n);
}
