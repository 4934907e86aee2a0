import type { ReceivedRequest, SimulatedUsage } from '#libs/llm-simulator';
import type { Api, Body } from './api.js';
import type { TestDatabase } from './database.js';

/** Nano-USD a token of gpt-4o-mini, copied by hand from model-prices.json. */
const MINI = { input: 150n, cacheRead: 75n, output: 600n };
const NANO_PER_CENT = 10_000_000;

/** What a call of gpt-4o-mini costs in nano-USD by the provider's own account. */
export function miniCost(usage: SimulatedUsage | null | undefined): bigint {
  if (!usage) throw new Error('The simulator told no usage.');
  const { input_tokens: input, cache_read_tokens: cacheRead, output_tokens: output } = usage;
  return BigInt(input) * MINI.input + BigInt(cacheRead) * MINI.cacheRead + BigInt(output) * MINI.output;
}

/** Nano-USD a token of models of other price lists than gpt-4o-mini's, copied by hand from model-prices.json. */
export const NANO = {
  'claude-haiku-4-5': { input: 1000n, cacheRead: 100n, write5m: 1250n, write1h: 2000n, output: 5000n },
  'gpt-4o-mini': { input: 150n, cacheRead: 75n, write5m: 0n, write1h: 0n, output: 600n },
} as const;
/** Nano-USD for one search, of either provider. */
export const SEARCH = 10_000_000n;
/** Nano-USD for one look into files, of OpenAI. */
export const FILE_SEARCH = 2_500_000n;

/** What the tokens of a call cost in nano-USD by the provider's own account. */
export function tokenCost(model: keyof typeof NANO, usage: SimulatedUsage | null | undefined): bigint {
  if (!usage) throw new Error('The simulator told no usage.');
  const price = NANO[model];
  return (
    BigInt(usage.input_tokens) * price.input +
    BigInt(usage.cache_read_tokens) * price.cacheRead +
    BigInt(usage.cache_write_tokens) * price.write5m +
    BigInt(usage.cache_write_1h_tokens) * price.write1h +
    BigInt(usage.output_tokens) * price.output
  );
}

/** What all these calls cost by the provider's own account; those that got an error cost nothing. */
export function billed(requests: readonly ReceivedRequest[]): bigint {
  return requests.reduce((sum, { answer }) => sum + (answer?.usage ? miniCost(answer.usage) : 0n), 0n);
}

/** Nano-USD as the API shows them in cents. */
export function cents(nano: bigint | number | string): number {
  return Number(nano) / NANO_PER_CENT;
}

/** One row of the ledger, money exactly as it stands there. */
export interface LedgerEntry {
  entry: string;
  outcome: string;
  job_id: string;
  record_id: string | null;
  attempt: number;
  n: number;
  /** Nano-USD; null where no price is known. */
  cost_nano: string | null;
  hold_nano: string;
  key_source: string;
  price_id: string | null;
}

/** The ledger of a tenant, by attempt and call within each job, in the order of writing. */
export function ledgerEntries(database: TestDatabase, tenantId: string): Promise<LedgerEntry[]> {
  return database.sql<LedgerEntry>(
    `SELECT entry, outcome, job_id, record_id, attempt, n, cost_nano, hold_nano, key_source, price_id
       FROM ai_ledger WHERE tenant_id = $1 ORDER BY job_id, attempt, n, settled_at`,
    [tenantId],
  );
}

/** A budget as the API shows it; the tenant's own unless told otherwise. */
export async function budgetOf(api: Api, scope = 'tenant', scopeId?: string): Promise<Body> {
  const { items } = await api.get('/budgets');
  return items.find(
    (item: Body) => item.scope === scope && (scopeId === undefined || item.scope_id === scopeId),
  );
}

/** Waits until every settlement has reached the budgets. @returns what the tenant has spent by them, in nano-USD. */
export async function settledSpent(api: Api, database: TestDatabase): Promise<bigint> {
  await api.until('all settlements are applied', async () => {
    const holds = await database.sql('SELECT FROM ai_holds WHERE tenant_id = $1', [api.tenantId]);
    return holds.length === 0;
  });
  const [budget] = await database.sql<{ spent: string; held: string }>(
    `SELECT spent, held FROM ai_budgets WHERE tenant_id = $1 AND scope = 'tenant'`,
    [api.tenantId],
  );
  if (budget?.held !== '0') throw new Error(`The budget still holds ${budget?.held}.`);
  return BigInt(budget.spent);
}
