import { Injectable } from '@nestjs/common';
import { FieldsmithError, newId } from '#libs/common';
import { costOf, holdAmount, Holds, settlementRow, type CallId, type CallSettlement } from '#libs/accounting';
import { keyId, LlmError, type LlmAnswer, type LlmRequest } from '#libs/llm';
import { SERVICE_PRINCIPAL_ID } from '#libs/host';
import { CallMetrics } from '../telemetry/call-metrics.js';
import type { CallingJob, Execution } from './execution.js';
import { holdBoundsOf } from './hold-bounds.js';
import { KeyGuard } from './key-guard.js';
import type { PreparedCall } from './prepare-call.js';
import { BudgetWait, KeyBusy } from './retry-policy.js';

/** A call that was made, however it ended: its settlement and its execution must be recorded. */
export interface MadeCall {
  call: CallId;
  executionId: string;
  answer?: LlmAnswer;
  error?: unknown;
  costNano?: bigint;
  tokens: number;
  settlement: object;
  execution: Execution;
  /** The key by its id, where a limit of calls at once applies to it. */
  key?: string;
}

/**
 * The one gate to the providers. Nothing passes it without a hold in every budget that applies, and every call that
 * passed comes back with its settlement: settled at what it cost, released if it was provably not billed, else
 * unconfirmed. No transaction is open while a call is in flight.
 */
@Injectable()
export class ProviderGate {
  constructor(
    private readonly holds: Holds,
    private readonly metrics: CallMetrics,
    private readonly guard: KeyGuard,
  ) {}

  /**
   * Makes call number `n` of an attempt.
   *
   * @throws BudgetWait when only other holds stand in the way, KeyBusy or KeyFailing when the key takes no further call
   * now; FieldsmithError `budget_exceeded`, `unknown_price` or
   * `model_stopped` when the call must not be made. A call that was made and failed is returned, not thrown.
   */
  async call(job: CallingJob, n: number, prepared: PreparedCall, request: LlmRequest): Promise<MadeCall> {
    const call: CallId = { jobId: job.id, attempt: job.attempt, n };
    const { price, provider } = prepared;
    const held = price && holdAmount(price, holdBoundsOf(provider, request));
    await this.pass(job, call, prepared, held);
    const made = await this.make(job, call, prepared, request, held);
    this.metrics.called(made.execution);
    return made;
  }

  private async make(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    request: LlmRequest,
    held: bigint | undefined,
  ): Promise<MadeCall> {
    const { provider, key } = prepared;
    const started = performance.now();
    try {
      const answer = await provider.call(request, key.credentials);
      await this.guard.note(job.tenantId, key.ref);
      return this.answered(job, call, prepared, request, answer, held);
    } catch (error) {
      const durationMs = performance.now() - started;
      const waits = await this.guard.note(job.tenantId, key.ref, error);
      const made = this.failed(job, call, prepared, request, error, durationMs);
      return waits ? { ...made, error: waits } : made;
    }
  }

  /** Past the breaker of the key, where that is open, and into the budgets. */
  private async pass(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    held: bigint | undefined,
  ): Promise<void> {
    const { breaker, ref } = prepared.key;
    const isProbe = breaker !== undefined && call.n === 1;
    if (isProbe) await this.guard.admit(job.tenantId, ref);
    try {
      await this.hold(job, call, prepared, held);
    } catch (error) {
      const waits = error instanceof BudgetWait || error instanceof KeyBusy;
      if (isProbe && !waits) await this.guard.giveBack(job.tenantId, ref);
      throw error;
    }
  }

  private async hold(
    job: CallingJob,
    call: CallId,
    { prompted, provider, price, key }: PreparedCall,
    amountNano: bigint | undefined,
  ): Promise<void> {
    const verdict = await this.holds.place({
      tenantId: job.tenantId,
      call,
      amountNano,
      keyLimit: key.limit,
      userId: job.principalId === SERVICE_PRINCIPAL_ID ? undefined : job.principalId,
      subject: {
        principalId: job.principalId,
        pipelineId: job.pipelineId,
        recordId: job.recordId,
        field: job.field,
        operation: job.jobType,
        provider: provider.name,
        model: prompted.model,
        keySource: key.source,
        priceId: price?.id,
      },
    });
    if (verdict === 'wait') throw new BudgetWait();
    if (verdict === 'key_busy') throw new KeyBusy(keyId(provider.name, key.ref.owner), provider.name);
  }

  private answered(
    job: CallingJob,
    call: CallId,
    prepared: PreparedCall,
    request: LlmRequest,
    answer: LlmAnswer,
    held: bigint | undefined,
  ): MadeCall {
    const { usage, durationMs } = answer;
    const costNano = usage && prepared.price && costOf(prepared.price, usage);
    // Where nothing could be held for want of a price no limit applied: then a cost that nobody knows is settled as such.
    const known = usage !== undefined && (costNano !== undefined || held === undefined);
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
      call,
      executionId: execution.id,
      answer,
      costNano,
      tokens,
      settlement: settlementRow(settlement),
      execution,
      key: prepared.key.limit?.key,
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
    return {
      call,
      executionId: execution.id,
      error,
      tokens: 0,
      settlement: settlementRow(settlement),
      execution,
      key: prepared.key.limit?.key,
    };
  }
}
