import { Injectable } from '@nestjs/common';
import { FieldsmithError, storableText, type Json } from '#libs/common';
import { LlmError, type LlmRequest } from '#libs/llm';
import { TenantTransactions } from '#libs/tenants';
import { JobStore } from '../jobs/job-store.js';
import { ParseError } from '../parsers/parser.js';
import { executionRow, type CallingJob } from './execution.js';
import type { PreparedCall } from './prepare-call.js';
import { ProviderGate, type MadeCall } from './provider-gate.js';

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

/** Prefix of an answer that goes back to the model with the request to repair it. */
const REPAIR_ECHO_CHARS = 20_000;

/** The call and parse steps: asks the provider, and once more where the answer cannot be read. */
@Injectable()
export class JobAnswerer {
  constructor(
    private readonly gate: ProviderGate,
    private readonly store: JobStore,
    private readonly tenants: TenantTransactions,
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
    const first = await this.call(job, 1, prepared, request, calls);
    try {
      return { value: this.read(prepared, first), made: first };
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      await this.record(job, first, error);
      calls.last = undefined;
      const second = await this.call(
        job,
        2,
        prepared,
        repairOf(request, first.answer!.text, error.message),
        calls,
      );
      return { value: this.read(prepared, second), made: second };
    }
  }

  private async call(
    job: CallingJob,
    n: number,
    prepared: PreparedCall,
    request: LlmRequest,
    calls: AttemptCalls,
  ): Promise<MadeCall> {
    const made = await this.gate.call(job, n, prepared, request);
    calls.last = made;
    calls.tokens += made.tokens;
    calls.costNano += made.costNano ?? 0n;
    if (made.error !== undefined) throw made.error;
    return made;
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

  private async record(job: CallingJob, made: MadeCall, error: ParseError): Promise<void> {
    const execution = executionRow({ ...made.execution, error });
    await this.tenants.transaction(job.tenantId, (em) =>
      this.store.recordCalls(em, job.tenantId, { executions: [execution], settlements: [made.settlement] }),
    );
  }
}

/** Cut prose is still prose; a cut document of any other type is none. */
function isProse(outputType: string): boolean {
  return outputType === 'text' || outputType === 'markdown';
}

function repairOf(request: LlmRequest, answer: string, problem: string): LlmRequest {
  return {
    ...request,
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
