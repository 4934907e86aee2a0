import { Injectable } from '@nestjs/common';
import { FieldsmithError, newId } from '#libs/common';
import { costOf, holdAmount, Holds, settlementRow, type CallId, type CallSettlement } from '#libs/accounting';
import { LlmError, type LlmAnswer, type LlmRequest } from '#libs/llm';
import { SERVICE_PRINCIPAL_ID } from '#libs/host';
import type { CallingJob, Execution } from './execution.js';
import type { PreparedCall } from './prepare-call.js';
import { BudgetWait } from './retry-policy.js';

/** A call that was made, however it ended: its settlement and its execution must be recorded. */
export interface MadeCall {
  executionId: string;
  answer?: LlmAnswer;
  error?: unknown;
  costNano?: bigint;
  tokens: number;
  settlement: object;
  execution: Execution;
}

/**
 * The one gate to the providers. Nothing passes it without a hold in every budget that applies, and every call that
 * passed comes back with its settlement: settled at what it cost, released if it was provably not billed, else
 * unconfirmed. No transaction is open while a call is in flight.
 */
@Injectable()
export class ProviderGate {
  constructor(private readonly holds: Holds) {}

  /**
   * Makes call number `n` of an attempt.
   *
   * @throws BudgetWait when only other holds stand in the way; FieldsmithError `budget_exceeded`, `unknown_price` or
   * `model_stopped` when the call must not be made. A call that was made and failed is returned, not thrown.
   */
  async call(job: CallingJob, n: number, prepared: PreparedCall, request: LlmRequest): Promise<MadeCall> {
    const call: CallId = { jobId: job.id, attempt: job.attempt, n };
    await this.hold(job, call, prepared, request);
    const started = performance.now();
    try {
      const answer = await prepared.provider.call(request, prepared.key.credentials);
      return this.answered(job, call, prepared, request, answer);
    } catch (error) {
      return this.failed(job, call, prepared, request, error, performance.now() - started);
    }
  }

  private async hold(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    request: LlmRequest,
  ): Promise<void> {
    const { provider, price, key } = prepared;
    const verdict = await this.holds.place({
      tenantId: job.tenantId,
      call,
      amountNano:
        price &&
        holdAmount(price, {
          inputTokenBound: provider.inputTokenBound(request),
          maxTokens: request.maxTokens,
        }),
      userId: job.principalId === SERVICE_PRINCIPAL_ID ? undefined : job.principalId,
      subject: {
        principalId: job.principalId,
        pipelineId: job.pipelineId,
        recordId: job.recordId,
        field: job.field,
        operation: job.jobType,
        provider: provider.name,
        model: request.model,
        keySource: key.source,
        priceId: price?.id,
      },
    });
    if (verdict === 'wait') throw new BudgetWait();
  }

  private answered(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    request: LlmRequest,
    answer: LlmAnswer,
  ): MadeCall {
    const { usage, durationMs } = answer;
    const costNano = usage && prepared.price && costOf(prepared.price, usage);
    const known = usage !== undefined && (costNano !== undefined || prepared.price === undefined);
    const settlement: CallSettlement = {
      call,
      state: known ? 'settled' : 'unconfirmed',
      costNano,
      usage,
      durationMs,
      outcome: 'answered',
    };
    const execution: Execution = { id: newId(), call, job, prepared, request, answer, costNano, durationMs };
    const tokens = usage
      ? usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h + usage.output
      : 0;
    return {
      executionId: execution.id,
      answer,
      costNano,
      tokens,
      settlement: settlementRow(settlement),
      execution,
    };
  }

  private failed(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    request: LlmRequest,
    error: unknown,
    durationMs: number,
  ): MadeCall {
    const released = error instanceof LlmError && error.billing === 'none';
    const settlement: CallSettlement = {
      call,
      state: released ? 'released' : 'unconfirmed',
      durationMs,
      outcome: error instanceof FieldsmithError ? error.code : 'unknown_error',
    };
    const execution: Execution = { id: newId(), call, job, prepared, request, error, durationMs };
    return { executionId: execution.id, error, tokens: 0, settlement: settlementRow(settlement), execution };
  }
}
