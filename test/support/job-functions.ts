import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { asTenant, row } from './app-connections.js';

/** A job as `ai_enqueue_jobs` takes it, with what does not matter left out. */
export interface TestJob {
  subject?: string;
  lane?: 0 | 1;
  priority?: 0 | 1 | 2;
  debounceMs?: number;
  origin?: 'user' | 'backfill';
  force?: boolean;
}

/** Calls `ai_enqueue_jobs` in whatever transaction is open. @returns the ids, in order. */
export async function enqueue(
  client: pg.Client,
  tenantId: string,
  jobs: readonly TestJob[],
): Promise<string[]> {
  const rows = jobs.map(({ subject, lane = 0, priority = 1, debounceMs = 0, origin = 'user', force }) => ({
    id: randomUUID(),
    job_type: 'test',
    record_id: subject,
    subject,
    lane,
    priority,
    debounce_ms: debounceMs,
    max_retries: 3,
    origin,
    force,
    principal_id: 'ann',
  }));
  const values = [tenantId, JSON.stringify(rows)];
  const made = await client.query<{ id: string }>('SELECT id FROM ai_enqueue_jobs($1, $2)', values);
  return made.rows.map(({ id }) => id);
}

/** What `ai_claim_job` gave. */
export interface Claim {
  id: string;
  subject: string | null;
  attempt: number;
}

/** Calls `ai_claim_job` in whatever transaction is open. */
export async function claim(client: pg.Client, tenantId: string, id: string): Promise<Claim | undefined> {
  const { rows } = await client.query<Claim>(
    'SELECT $2::uuid AS id, subject, attempt FROM ai_claim_job($1, $2, $3, 60000)',
    [tenantId, id, 'test'],
  );
  return rows[0];
}

/** Calls `ai_finish_job` for a job that is done, in a transaction of its own. */
export async function complete(client: pg.Client, tenantId: string, { id, attempt }: Claim): Promise<void> {
  const end = JSON.stringify({ status: 'completed', outcome: 'discarded' });
  await asTenant(client, tenantId, () =>
    row(client, `SELECT ai_finish_job($1, $2, $3, $4, '[]', '[]')`, [tenantId, id, attempt, end]),
  );
}

/** Calls `ai_finish_job` for a job that is to be tried again, in whatever transaction is open. @returns its status. */
export async function giveBack(client: pg.Client, tenantId: string, { id, attempt }: Claim): Promise<string> {
  const end = JSON.stringify({ status: 'pending', wait_reason: 'retry', retry: true, delay_ms: 60_000 });
  const sql = `SELECT status FROM ai_finish_job($1, $2, $3, $4, '[]', '[]')`;
  return (await row<{ status: string }>(client, sql, [tenantId, id, attempt, end])).status;
}

/** A job that was handed to delivery. */
export interface Handed {
  tenant_id: string;
  id: string;
}

/** Calls `ai_dispatch_jobs` for the tenants that come after one, or for only one. */
export async function dispatch(
  client: pg.Client,
  {
    lane = 0,
    limit = 10,
    window = 16,
    turn = window,
    after = '',
    only,
  }: { lane?: 0 | 1; limit?: number; window?: number; turn?: number; after?: string; only?: string },
): Promise<Handed[]> {
  const { rows } = await client.query<Handed>(
    'SELECT * FROM ai_dispatch_jobs($1, $2, $3, $4, $5, $6, 60000)',
    [lane, limit, window, turn, after, only],
  );
  return rows;
}
