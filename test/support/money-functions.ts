import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { asTenant, row } from './app-connections.js';

/** One call as the money functions of the database know it. */
export interface TestCall {
  jobId: string;
  attempt: number;
  n: number;
}

/** What a hold is placed for. */
export interface TestHold {
  /** Nano-USD; null where no price is known. */
  amount: number | null;
  user?: string | null;
  field?: string | null;
  model?: string;
}

/** How a call ends. */
export interface TestSettlement {
  state: 'settled' | 'released' | 'unconfirmed';
  cost?: number;
  outcome?: string;
}

export function newCall(): TestCall {
  return { jobId: randomUUID(), attempt: 1, n: 1 };
}

/** Calls `ai_place_hold`. @returns its verdict. */
export async function placeHold(
  client: pg.Client,
  tenantId: string,
  call: TestCall,
  hold: TestHold,
): Promise<string> {
  const { amount, user = null, field = null } = hold;
  const { jobId, attempt, n } = call;
  const values = [tenantId, jobId, attempt, n, amount, user, field && `p:${field}`, dimensions(hold)];
  const { verdict } = await row<{ verdict: string }>(
    client,
    'SELECT ai_place_hold($1, $2, $3, $4, $5, $6, $7, $8) AS verdict',
    values,
  );
  return verdict;
}

/** Calls `ai_place_holds` for calls of one user and field. @returns the verdict of each, in their order. */
export async function placeHolds(
  client: pg.Client,
  tenantId: string,
  holds: readonly TestHold[],
): Promise<string[]> {
  const { user = null, field = null } = holds[0]!;
  const calls = holds.map((hold, place) => {
    const { jobId: job, attempt, n } = newCall();
    return { place, job, attempt, n, amount: hold.amount, dims: dimensions(hold) };
  });
  const { rows } = await client.query<{ verdict: string }>(
    'SELECT verdict FROM ai_place_holds($1, $2, $3, NULL, NULL, NULL, $4) ORDER BY place',
    [tenantId, user, field && `p:${field}`, JSON.stringify(calls)],
  );
  return rows.map(({ verdict }) => verdict);
}

function dimensions({ amount, user, field, model = 'm' }: TestHold): object {
  return {
    principal_id: user ?? 'service',
    pipeline_id: field ? 'p' : undefined,
    field: field ?? undefined,
    operation: 'test',
    provider: 'openai',
    model,
    key_source: 'global',
    price_id: amount === null ? undefined : 'price',
  };
}

/** Calls `ai_settle_calls` for one call. */
export async function settle(
  client: pg.Client,
  tenantId: string,
  { jobId, attempt, n }: TestCall,
  { state, cost, outcome = 'answered' }: TestSettlement,
): Promise<void> {
  const calls = [{ job_id: jobId, attempt, n, state, cost, outcome }];
  await asTenant(client, tenantId, () =>
    client.query('SELECT ai_settle_calls($1, $2)', [tenantId, JSON.stringify(calls)]),
  );
}

/** Calls `ai_move_settlements` until nothing waits. */
export async function applySettlements(client: pg.Client, tenantId: string): Promise<void> {
  const sql = 'SELECT moved FROM ai_move_settlements($1, 500, NULL)';
  while ((await row<{ moved: number }>(client, sql, [tenantId])).moved > 0);
}

/** Sets limits in nano-USD, by scope and id. */
export async function setLimits(
  client: pg.Client,
  tenantId: string,
  limits: readonly (readonly [scope: string, id: string, nano: number])[],
): Promise<void> {
  await asTenant(client, tenantId, async () => {
    for (const [scope, id, nano] of limits) {
      await client.query(
        'INSERT INTO ai_budget_limits (tenant_id, scope, scope_id, limit_nano) VALUES ($1, $2, $3, $4)',
        [tenantId, scope, id, nano],
      );
    }
  });
}
