import { setTimeout } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { FieldsmithError, storableText, type Json } from '#libs/common';
import { LlmError, type LlmRequest } from '#libs/llm';
import { JobStore } from '../jobs/job-store.js';
import { ParseError } from '../parsers/parser.js';
import { AttemptTransactions } from './attempt-transactions.js';
import { executionRow, type CallingJob } from './execution.js';
import { haltOf } from './halted-attempt.js';
import type { PreparedCall } from './prepare-call.js';
import { ProviderGate, type MadeCall } from './provider-gate.js';
import { BudgetWait, KeyBusy } from './retry-policy.js';

/** The value that a provider gave, with the calls it took. */
export interface AnsweredJob {
  value: Json;
  /** The call whose answer holds the value. */
  made: MadeCall;
}

/** All calls of one attempt, in order; the last one is not recorded yet. */
export interface AttemptCalls {
  /** The last call, to be recorded with the end of the job. */
  last?: MadeCall;
  tokens: number;
  costNano: bigint;
}

/** How often one turn may be paused and go on; each time is a call with a hold of its own. */
const MOST_PAUSES = 5;

/** How often, and how far apart in milliseconds, a further call asks for its hold again. */
const MOST_WAITS = 60;
const WAIT_MS = 500;

/** Prefix of an answer that goes back to the model with the request to repair it. */
const REPAIR_ECHO_CHARS = 20_000;

/** The call and parse steps: asks the provider, and once more where the answer cannot be read. */
@Injectable()
export class JobAnswerer {
  constructor(
    private readonly gate: ProviderGate,
    private readonly store: JobStore,
    private readonly transactions: AttemptTransactions,
  ) {}

  /**
   * @param calls filled while calls are made, so that a failure leaves what must be recorded.
   * @throws ParseError when the repaired answer cannot be read either; LlmError of the provider; errors of the gate.
   */
  async answer(
    job: CallingJob,
    prepared: PreparedCall,
    calls: AttemptCalls,
    signal?: AbortSignal,
  ): Promise<AnsweredJob> {
    const request: LlmRequest = { ...prepared.request, signal };
    const first = await this.turn(job, 1, prepared, request, calls);
    try {
      return { value: this.read(prepared, first), made: first };
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      await this.record(job, first, calls, error);
      const repair = repairOf(request, first.answer!.text, error.message);
      const second = await this.turn(job, first.call.n + 1, prepared, repair, calls);
      return { value: this.read(prepared, second), made: second };
    }
  }

  /** One turn of the model, from call `n` on: a turn that the provider paused goes on with a further call. */
  private async turn(
    job: CallingJob,
    n: number,
    prepared: PreparedCall,
    request: LlmRequest,
    calls: AttemptCalls,
  ): Promise<MadeCall> {
    let made = await this.call(job, n, prepared, request, calls);
    for (let pauses = 1; made.answer!.stopReason === 'pause'; pauses++) {
      if (pauses > MOST_PAUSES) throw turnTooLong();
      const { continuation } = made.answer!;
      await this.record(job, made, calls);
      made = await this.call(job, made.call.n + 1, prepared, { ...request, continuation }, calls);
    }
    return made;
  }

  private async call(
    job: CallingJob,
    n: number,
    prepared: PreparedCall,
    request: LlmRequest,
    calls: AttemptCalls,
  ): Promise<MadeCall> {
    const made =
      n === 1
        ? await this.gate.call(job, n, prepared, request)
        : await this.callWithPatience(job, n, prepared, request);
    calls.last = made;
    calls.tokens += made.tokens;
    calls.costNano += made.costNano ?? 0n;
    if (made.error !== undefined) throw made.error;
    return made;
  }

  /**
   * Where only other holds stand in the way of a further call it waits here: what the attempt has paid for so far would
   * be lost if the job went back to wait.
   */
  private async callWithPatience(
    job: CallingJob,
    n: number,
    prepared: PreparedCall,
    request: LlmRequest,
  ): Promise<MadeCall> {
    for (let waits = 0; ; waits++) {
      try {
        return await this.gate.call(job, n, prepared, request);
      } catch (error) {
        const waitsFor = error instanceof BudgetWait || error instanceof KeyBusy;
        if (!waitsFor || waits === MOST_WAITS || request.signal?.aborted) throw error;
        await setTimeout(WAIT_MS);
        const halt = await this.transactions.repeated(job.tenantId, (em) => haltOf(em, job));
        if (halt) throw halt;
      }
    }
  }

  private read(prepared: PreparedCall, made: MadeCall): Json {
    const { text, stopReason } = made.answer!;
    if (stopReason === 'refusal') {
      throw new LlmError('content_refusal', 'The model declined to answer this prompt: reword it.', {
        billing: 'none',
      });
    }
    const { outputType, parserOptions, maxTokens } = prepared.prompted;
    if (stopReason === 'length' && !isProse(outputType)) {
      throw new FieldsmithError(
        'answer_truncated',
        `The answer did not fit into max_tokens (${maxTokens}): raise it, or ask for less.`,
        { status: 422 },
      );
    }
    return prepared.parser.parse(text, parserOptions);
  }

  /** Records a call of the attempt that is followed by another. @throws JobCancelled, JobDiscarded where none may follow. */
  private async record(
    job: CallingJob,
    made: MadeCall,
    calls: AttemptCalls,
    error?: ParseError,
  ): Promise<void> {
    const execution = executionRow({ ...made.execution, error });
    const recorded = { executions: [execution], settlements: [made.settlement], key: made.key };
    const halt = await this.transactions.repeated(job.tenantId, async (em) => {
      const gone = await job.gone?.(em);
      await this.store.recordCalls(em, job.tenantId, recorded, { goesOn: !gone, withdrawn: !!gone });
      return gone ?? haltOf(em, job);
    });
    calls.last = undefined;
    if (halt) throw halt;
  }
}

/** Cut prose is still prose; a cut document of any other type is none. */
function isProse(outputType: string): boolean {
  return outputType === 'text' || outputType === 'markdown';
}

function turnTooLong(): FieldsmithError {
  return new FieldsmithError(
    'turn_too_long',
    `The model was not done after ${MOST_PAUSES + 1} calls: ask for less, or lower max_tool_calls.`,
    { status: 422 },
  );
}

/** What was found is in the answer: correcting its form needs no tools. */
function repairOf(request: LlmRequest, answer: string, problem: string): LlmRequest {
  return {
    ...request,
    tools: undefined,
    messages: [
      ...request.messages,
      { role: 'assistant', content: storableText(answer.slice(0, REPAIR_ECHO_CHARS)) || '(empty)' },
      {
        role: 'user',
        content: `That answer cannot be used: ${storableText(problem)} Answer again, with nothing but the corrected answer.`,
      },
    ],
  };
}
