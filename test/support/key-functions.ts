import type pg from 'pg';
import { asTenant, row } from './app-connections.js';
import { claim, type Claim } from './job-functions.js';

/** A key with a limit of calls at once, as the functions of the database know it. */
export interface TestKey {
  provider: string;
  owner: string;
  limit: number;
}

const idOf = ({ provider, owner }: TestKey): string => `${provider}:${owner}`;

const DIMS = {
  principal_id: 'service',
  operation: 'test',
  provider: 'openai',
  model: 'm',
  key_source: 'global',
};

/** Calls `ai_place_hold` for the first call of an attempt with a limited key. @returns its verdict. */
export async function takeSlot(
  client: pg.Client,
  tenantId: string,
  { id, attempt }: Pick<Claim, 'id' | 'attempt'>,
  key: TestKey,
): Promise<string> {
  const { verdict } = await row<{ verdict: string }>(
    client,
    'SELECT ai_place_hold($1, $2, $3, 1, 1, NULL, NULL, $4, $5, $6) AS verdict',
    [tenantId, id, attempt, DIMS, idOf(key), key.limit],
  );
  return verdict;
}

/** Claims a job and asks for a slot; without one it joins the line. @returns the claim where it has a slot. */
export async function beginCall(
  client: pg.Client,
  tenantId: string,
  id: string,
  key: TestKey,
): Promise<Claim | undefined> {
  const claimed = await asTenant(client, tenantId, () => claim(client, tenantId, id));
  if (!claimed) return undefined;
  if ((await takeSlot(client, tenantId, claimed, key)) === 'held') return claimed;
  const end = {
    status: 'pending',
    wait_reason: 'key_busy',
    wait_key: idOf(key),
    delay_ms: 5000,
    step_ms: 5000,
  };
  await finish(client, tenantId, claimed, end, []);
  return undefined;
}

/** Ends a call and its job. */
export async function endCall(client: pg.Client, tenantId: string, claimed: Claim): Promise<void> {
  const { id, attempt } = claimed;
  const settled = { job_id: id, attempt, n: 1, state: 'settled', cost: 1, outcome: 'answered' };
  await finish(client, tenantId, claimed, { status: 'completed', outcome: 'generated' }, [settled]);
}

/** Calls `ai_call_next`. @returns the tenants whose jobs were called. */
export async function callNext(client: pg.Client, { provider, owner, limit }: TestKey): Promise<string[]> {
  const { rows } = await client.query<{ tenant_id: string }>('SELECT * FROM ai_call_next($1, $2, $3)', [
    provider,
    owner,
    limit,
  ]);
  return rows.map(({ tenant_id: tenant }) => tenant);
}

async function finish(
  client: pg.Client,
  tenantId: string,
  { id, attempt }: Claim,
  end: object,
  calls: object[],
): Promise<void> {
  await asTenant(client, tenantId, () =>
    row(client, `SELECT ai_finish_job($1, $2, $3, $4, '[]', $5)`, [
      tenantId,
      id,
      attempt,
      JSON.stringify(end),
      JSON.stringify(calls),
    ]),
  );
}
