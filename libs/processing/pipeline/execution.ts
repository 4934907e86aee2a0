import type { EntityManager } from 'typeorm';
import { FieldsmithError, type Json } from '#libs/common';
import type { CallId } from '#libs/accounting';
import type { Citation, LlmAnswer, LlmRequest, ToolUse } from '#libs/llm';
import type { ClaimedJob } from '../jobs/job.js';
import type { PreparedCall } from './prepare-call.js';

/** The work of one job that calls are made for. */
export interface CallingJob extends Pick<
  ClaimedJob,
  | 'tenantId'
  | 'id'
  | 'attempt'
  | 'jobType'
  | 'pipelineId'
  | 'recordId'
  | 'field'
  | 'principalId'
  | 'origin'
  | 'snapshot'
> {
  /**
   * For calls that no job stands behind, which could be stopped: what is wrong once what they are made from is gone, and
   * keeps it there until the commit where it is not.
   */
  gone?(em: EntityManager): Promise<FieldsmithError | undefined>;
}

/** The audit of one call, before it is written. */
export interface Execution {
  id: string;
  call: CallId;
  job: CallingJob;
  prepared: PreparedCall;
  request: LlmRequest;
  answer?: LlmAnswer;
  error?: unknown;
  costNano?: bigint;
  durationMs: number;
}

/** An execution as the database function `ai_record_calls` takes it. */
export function executionRow(execution: Execution, parsed?: { value: Json; stored: boolean }): object {
  const { call, job, prepared, request, answer, error, costNano } = execution;
  const failure = error === undefined ? undefined : describe(error);
  return {
    id: execution.id,
    job_id: call.jobId,
    attempt: call.attempt,
    n: call.n,
    pipeline_id: job.pipelineId,
    record_id: job.recordId,
    field: job.field,
    principal_id: job.principalId,
    origin: job.origin,
    provider: prepared.provider.name,
    model: request.model,
    request: {
      system: request.system,
      messages: request.messages,
      max_tokens: request.maxTokens,
      temperature: request.temperature,
      response_schema: request.responseSchema?.schema,
      tools: request.tools && toolsRow(request.tools),
      continued: request.continuation && true,
      // Here because they live exactly as long: what is withdrawn, purged or too old goes with the request.
      citations: answer?.citations?.map(citationRow),
    },
    answer: answer?.text,
    value: parsed?.value,
    stop_reason: answer?.stopReason,
    usage: answer?.usage,
    cost_nano: costNano?.toString(),
    price_id: prepared.price?.id,
    duration_ms: Math.round(execution.durationMs),
    error_code: failure?.code,
    error_message: failure?.message,
    fingerprint: prepared.fingerprint,
    sources: prepared.prompted.sources,
    snapshot: job.snapshot,
    stored: parsed?.stored ?? false,
  };
}

/** The row of an execution whose content is not kept: what it cost, and that it was. */
export function withoutContent(row: object): object {
  return { ...row, request: undefined, answer: undefined, value: undefined, error_message: undefined };
}

function toolsRow({ names, maxUses, vectorStoreIds }: ToolUse): object {
  return { names, max_uses: maxUses, vector_store_ids: vectorStoreIds };
}

function citationRow({ fileId, ...citation }: Citation): object {
  return { ...citation, file_id: fileId };
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof FieldsmithError) return { code: error.code, message: error.message };
  return {
    code: 'internal_error',
    message: 'The call failed in an unforeseen way; the log has the details.',
  };
}
