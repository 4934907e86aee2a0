import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { v7 } from 'uuid';
import type { Api } from './api.js';
import type { TestDatabase } from './database.js';
import { TEST_MASTER_KEY } from './product.js';

/** The jobs that the maintenance runs by itself, by name, sorted. */
export const MAINTENANCE_JOBS = [
  'apply_retention',
  'cleanup_old_jobs',
  'drop_old_ledger_months',
  'ensure_ledger_months',
  'reconcile_holds',
  'retry_failed_jobs',
  'roll_up_ledger',
  'sweep_leases',
];

/** Those that run on command only. */
export const COMMANDS = ['rotate-master-key'];

/** What a command came to. */
export interface CommandRun {
  code: number;
  /** The lines of standard output, parsed. */
  lines: Record<string, unknown>[];
  stderr: string;
}

/** Runs `npm run job -- <name>` without npm, in the environment given. */
export function runJobIn(env: Record<string, string>, ...args: string[]): Promise<CommandRun> {
  const main = join(process.env['TEST_DIST'] ?? 'dist/current', 'src/job.js');
  const { PATH = '', HOME = '' } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env: { PATH, HOME, ...env } }, (error, stdout, stderr) => {
      const lines = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      resolve({ code: Number(error?.code ?? 0), lines, stderr });
    });
  });
}

/** Runs a job by command on a database. @returns what it printed. @throws when it does not end well. */
export async function runJob(database: TestDatabase, name: string): Promise<Record<string, unknown>> {
  const { code, lines, stderr } = await runJobIn(envOf(database), name);
  if (code !== 0 || lines.length !== 1) throw new Error(`${name} ended with ${code}:\n${stderr}`);
  return lines[0]!;
}

/** Waits until the schedule of a product has run everything once: from then on a test says when. */
export async function scheduleHasBegun(database: TestDatabase, api: Api): Promise<void> {
  await api.until('the schedule has begun', async () => {
    const rows = await database.sql('SELECT FROM ai_maintenance WHERE finished_at IS NOT NULL');
    return rows.length === MAINTENANCE_JOBS.length;
  });
}

export function envOf(database: TestDatabase): Record<string, string> {
  return { DATABASE_URL: database.url, MASTER_KEY: TEST_MASTER_KEY };
}

/** A job that was made to be old. */
export interface AgedJob {
  id: string;
  executionIds: string[];
}

/** Moves a job and its executions so many days into the past, their ids with them: ids tell when a row was made. */
export async function ageJob(database: TestDatabase, jobId: string, days: number): Promise<AgedJob> {
  // A hold that is not in the budgets yet keeps its job from being cleared away.
  await database.sql('SELECT ai_move_settlements(tenant_id, 1000, NULL) FROM ai_jobs WHERE id = $1', [jobId]);
  const made = Date.now() - days * 86_400_000;
  const id = v7({ msecs: made });
  await database.sql(
    `UPDATE ai_jobs SET id = $2, created_at = created_at - $3 * interval '1 day', completed_at = completed_at - $3 * interval '1 day'
      WHERE id = $1`,
    [jobId, id, days],
  );
  for (const table of ['ai_executions', 'ai_ledger', 'ai_holds', 'ai_values'])
    await database.sql(`UPDATE ${table} SET job_id = $2 WHERE job_id = $1`, [jobId, id]);
  const executions = await database.sql<{ id: string }>('SELECT id FROM ai_executions WHERE job_id = $1', [
    id,
  ]);
  const executionIds: string[] = [];
  for (const execution of executions)
    executionIds.push(await ageExecution(database, execution.id, days * 86_400_000));
  return { id, executionIds };
}

/** Moves an execution so many milliseconds into the past. @returns its new id. */
export async function ageExecution(database: TestDatabase, id: string, ms: number): Promise<string> {
  const old = v7({ msecs: Date.now() - ms + 1 });
  await database.sql(
    `UPDATE ai_executions SET id = $2, created_at = created_at - $3 * interval '1 ms' WHERE id = $1`,
    [id, old, ms],
  );
  for (const table of ['ai_values', 'ai_result_cache'])
    await database.sql(`UPDATE ${table} SET execution_id = $2 WHERE execution_id = $1`, [id, old]);
  return old;
}
