import { nanoToCents, nanoToUsd, type Json } from '#libs/common';
import type { Concealed } from '../pipeline/ai-process.js';
import { laneName } from '../telemetry/job-metrics.js';
import { PRIORITIES } from '../jobs/job.js';

/** Columns of `ai_jobs` that are shown. */
export interface JobViewRow {
  id: string;
  job_type: string;
  pipeline_id: string | null;
  record_id: string | null;
  field: string | null;
  provider: string | null;
  model: string | null;
  input: Record<string, Json> | null;
  status: string;
  outcome: string | null;
  output: Json;
  config: Record<string, Json> | null;
  tokens_used: string;
  cost_nano: string;
  processing_time_ms: number | null;
  error_code: string | null;
  error_message: string | null;
  wait_reason: string | null;
  retry_count: number;
  attempt: number;
  lane: number;
  priority: number;
  origin: string;
  caused_by: string | null;
  depth: number;
  principal_id: string;
  run_id: string | null;
  run_after: Date;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
}

export const JOB_COLUMNS = `id, job_type, pipeline_id, record_id, field, provider, model, input, status, outcome, output, config,
  tokens_used, cost_nano, processing_time_ms, error_code, error_message, wait_reason, retry_count, attempt, lane, priority,
  origin, caused_by, depth, principal_id, run_id, run_after, created_at, started_at, completed_at`;

const SHOWN: Concealed = { input: false, output: false };

/** In the place of messages that quote what is not shown. */
const NOT_SHOWN = 'Your role may not see what this job worked on.';

/** How a job ended, and what it did for that: to who does not see its inputs it would tell of them. */
function endOf(row: JobViewRow): Record<string, unknown> {
  const { provider, model, config, outcome, error_code } = row;
  const cost = BigInt(row.cost_nano);
  return {
    ai_provider: provider,
    model_name: model,
    prompt_template: config?.['prompt'] ?? null,
    ai_config: config ?? {},
    outcome,
    error_code,
    tokens_used: Number(row.tokens_used),
    cost_cents: nanoToCents(cost),
    cost_usd: nanoToUsd(cost),
  };
}

const NO_END: ReturnType<typeof endOf> = {
  ai_provider: null,
  model_name: null,
  prompt_template: null,
  ai_config: {},
  outcome: null,
  error_code: null,
  tokens_used: null,
  cost_cents: null,
  cost_usd: null,
};

/** A job as the API shows it. What it was made from in detail is on its executions. */
export function jobView(row: JobViewRow, concealed: Concealed = SHOWN): Record<string, unknown> {
  return {
    id: row.id,
    job_type: row.job_type,
    pipeline_id: row.pipeline_id,
    record_id: row.record_id,
    field_name: row.field,
    ...(concealed.input ? NO_END : endOf(row)),
    input_data: (!concealed.input && row.input) || {},
    status: row.status,
    output_data: concealed.output ? {} : (row.output ?? {}),
    processing_time_ms: row.processing_time_ms,
    error_message: endMessageOf(row, concealed),
    wait_reason: row.wait_reason,
    retry_count: row.retry_count,
    attempts: row.attempt,
    cause: { origin: row.origin, job_id: row.caused_by, depth: row.depth, principal_id: row.principal_id },
    lane: laneName(row.lane),
    priority: PRIORITIES[row.priority],
    run_id: row.run_id,
    run_after: row.run_after.toISOString(),
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
  };
}

/** Columns of `ai_executions` that are shown. */
export interface ExecutionRow {
  id: string;
  attempt: number;
  n: number;
  provider: string;
  model: string;
  request: Record<string, Json> | null;
  answer: string | null;
  value: Json;
  stop_reason: string | null;
  usage: Json;
  cost_nano: string | null;
  price_id: string | null;
  duration_ms: number | null;
  error_code: string | null;
  error_message: string | null;
  stored: boolean;
  created_at: Date;
}

/** The executions of a job; none where nothing of them would be left to see but that there are any. */
export function executionViews(
  rows: readonly ExecutionRow[],
  concealed: Concealed = SHOWN,
): Record<string, unknown>[] {
  return concealed.input && concealed.output ? [] : rows.map((row) => executionView(row, concealed));
}

function executionView(row: ExecutionRow, concealed: Concealed): Record<string, unknown> {
  const { cost_nano: cost, created_at: createdAt, request, answer, value, ...shown } = row;
  const { citations = null, ...sent } = request ?? {};
  return {
    ...shown,
    answer: concealed.output ? null : answer,
    value: concealed.output ? null : value,
    request: concealed.input ? null : request && sent,
    citations: concealed.input ? null : citations,
    usage: concealed.input ? null : row.usage,
    error_code: concealed.input ? null : row.error_code,
    error_message: messageOf(row, concealed),
    cost_usd: concealed.input || cost === null ? null : nanoToUsd(BigInt(cost)),
    created_at: createdAt.toISOString(),
  };
}

/** Messages quote answers that could not be read, and providers quote prompts. */
function messageOf(
  { error_message: message }: { error_message: string | null },
  concealed: Concealed,
): string | null {
  return message !== null && (concealed.input || concealed.output) ? NOT_SHOWN : message;
}

/** That a job has a message although it did not fail would tell how it ended. */
function endMessageOf(row: JobViewRow, concealed: Concealed): string | null {
  if (!concealed.input) return messageOf(row, concealed);
  return row.status === 'failed' ? NOT_SHOWN : null;
}
