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
  { amount, user = null, field = null, model = 'm' }: TestHold,
): Promise<string> {
  const dims = {
    principal_id: user ?? 'service',
    pipeline_id: field ? 'p' : undefined,
    field: field ?? undefined,
    operation: 'test',
    provider: 'openai',
    model,
    key_source: 'global',
    price_id: amount === null ? undefined : 'price',
  };
  const values = [tenantId, call.jobId, call.attempt, call.n, amount, user, field && `p:${field}`, dims];
  const { verdict } = await row<{ verdict: string }>(
    client,
    'SELECT ai_place_hold($1, $2, $3, $4, $5, $6, $7, $8) AS verdict',
    values,
  );
  return verdict;
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
