import { FieldsmithError } from '#libs/common';
import type { TokenUsage } from './llm-provider.js';

/** What may happen after a failure of each kind, and the HTTP status it has where it reaches a client of ours. */
const KINDS = {
  timeout: { retryable: true, status: 504 },
  connection: { retryable: true, status: 502 },
  server: { retryable: true, status: 502 },
  rate_limit: { retryable: true, status: 503 },
  bad_answer: { retryable: true, status: 502 },
  authentication: { retryable: false, status: 422 },
  permission: { retryable: false, status: 422 },
  invalid_request: { retryable: false, status: 422 },
  content_refusal: { retryable: false, status: 422 },
  quota: { retryable: false, status: 502 },
  unknown: { retryable: false, status: 502 },
} as const satisfies Record<string, { retryable: boolean; status: number }>;

export type LlmErrorKind = keyof typeof KINDS;

/**
 * Whether a failed call may cost money. `none`: provably not (it never left, or the provider itself answered with an
 * error status). `unknown`: the provider may have processed it, also where a gateway says that it heard no answer.
 */
export type LlmBilling = 'none' | 'unknown';

export interface LlmErrorFacts {
  billing: LlmBilling;
  /** How long the provider asks to wait, at most an hour. */
  retryAfterMs?: number;
  /** The status the provider answered with; none where the request never reached it. */
  httpStatus?: number;
  requestId?: string;
  /** What the provider reported although its answer is of no use. */
  usage?: TokenUsage;
}

/**
 * A call to a provider that failed. Its code is `provider_<kind>`. It has no `cause`: errors of HTTP clients
 * hold headers and bodies, and a logger prints what it finds.
 */
export class LlmError extends FieldsmithError {
  readonly kind: LlmErrorKind;
  readonly retryable: boolean;
  readonly billing: LlmBilling;
  readonly retryAfterMs?: number;
  readonly httpStatus?: number;
  readonly requestId?: string;
  readonly usage?: TokenUsage;

  constructor(kind: LlmErrorKind, message: string, facts: LlmErrorFacts) {
    super(`provider_${kind}`, message, { status: KINDS[kind].status });
    this.name = 'LlmError';
    this.kind = kind;
    this.retryable = KINDS[kind].retryable;
    this.billing = facts.billing;
    this.retryAfterMs = facts.retryAfterMs;
    this.httpStatus = facts.httpStatus;
    this.requestId = facts.requestId;
    this.usage = facts.usage;
  }
}
