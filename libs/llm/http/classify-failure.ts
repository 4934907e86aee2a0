import { LlmError, type LlmErrorFacts, type LlmErrorKind } from '../llm-error.js';
import { REFUSED_ADDRESS } from './http-send.js';
import { HttpFailure, TransportFailure } from './provider-fetch.js';
import { redact } from './redact.js';
import { retryAfterMs } from './retry-after.js';

/** What is known about a call that failed. */
export interface FailedCall {
  /** The provider's name in configurations. */
  provider: string;
  /** The provider's name for people. */
  label: string;
  /** Undefined for a test of the connection. */
  model?: string;
  timeoutMs: number;
  endedBy: 'timeout' | 'abort' | undefined;
  apiKey: string;
  /** Every text that was sent, so that no message quotes it. */
  sent: string[];
}

/**
 * Decides, in this one place, what a failed call means: its kind, and whether it may have cost money.
 * An {@link LlmError} stays as it is; what is not recognised stays `unknown`.
 */
export function classifyFailure(error: unknown, call: FailedCall): LlmError {
  if (error instanceof LlmError) return error;
  const failure = causeOf(error);
  if (failure instanceof HttpFailure) return httpError(failure, call);
  if (call.endedBy) return endedError(call.endedBy, call);
  if (failure instanceof TransportFailure) return transportError(failure, call);
  return unknownError(error, call);
}

function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

function endedError(endedBy: 'timeout' | 'abort', { label, timeoutMs }: FailedCall): LlmError {
  const message =
    endedBy === 'timeout'
      ? `${label} did not answer within ${timeoutMs / 1000} s. If this keeps happening, lower max_tokens or shorten the prompt.`
      : `The call to ${label} was stopped before its answer arrived, as happens at a shutdown.`;
  return new LlmError(endedBy === 'timeout' ? 'timeout' : 'connection', message, { billing: 'unknown' });
}

function transportError({ code, neverLeft }: TransportFailure, call: FailedCall): LlmError {
  const { label } = call;
  if (code === REFUSED_ADDRESS) {
    const message = `The base_url of ${label} leads to an address of a private network now: set another one, or ask the operator to name that address in PROVIDER_URL_ALLOWLIST.`;
    return new LlmError('invalid_request', message, { billing: 'none' });
  }
  if (neverLeft) {
    const message = `${label} could not be reached (${code}): check base_url and the network of this server.`;
    return new LlmError('connection', message, { billing: 'none' });
  }
  const facts = { billing: 'unknown' } as const;
  if (code === undefined)
    return new LlmError('unknown', `The call to ${label} failed for no stated reason.`, facts);
  if (code === 'ANSWER_TOO_LARGE' || /^(HPE_|Z_|ERR__)/.test(code)) {
    const message = `${label} sent an answer that cannot be read (${code}): check that base_url is that of a provider.`;
    return new LlmError('bad_answer', message, facts);
  }
  return new LlmError(
    'connection',
    `The connection to ${label} broke before its answer was complete (${code}).`,
    facts,
  );
}

function unknownError(error: unknown, { label }: FailedCall): LlmError {
  const name = error instanceof Error ? error.name : typeof error;
  const result = new LlmError(
    'unknown',
    `The call to ${label} failed in a way that is not known (${name}).`,
    {
      billing: 'unknown',
    },
  );
  // The frames tell where it happened; the original text may quote what was sent.
  const frames =
    error instanceof Error &&
    error.stack?.startsWith(String(error)) &&
    error.stack.slice(String(error).length);
  if (frames) result.stack = `${String(result)}${frames}`;
  return result;
}

/** Mostly said by what stands between: it lost the provider, which may have done the work and charged for it. */
const UNKNOWN_ENDS: ReadonlySet<number> = new Set([408, 502, 504, 520, 521, 522, 523, 524]);

function httpError(failure: HttpFailure, call: FailedCall): LlmError {
  const said = readErrorBody(failure.body);
  const kind = kindOfStatus(failure.status, said);
  const facts: LlmErrorFacts = {
    billing: UNKNOWN_ENDS.has(failure.status) ? 'unknown' : 'none',
    httpStatus: failure.status,
    requestId: requestIdOf(failure.headers),
    retryAfterMs: retryAfterMs(failure.headers, Date.now()),
  };
  const quote = said.message && redact(said.message, call);
  const message = `${remedy(kind, failure.status, facts, call)}${quote ? ` It says: ${quote}` : ''}`;
  return new LlmError(kind, message, facts);
}

const QUOTA_CODES = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'credit_balance_exhausted',
]);
const REFUSAL_CODES = new Set([
  'content_filter',
  'content_policy_violation',
  'invalid_prompt',
  'moderation_blocked',
]);

/** Anthropic answers 400 `invalid_request_error` where no credit is left: only the message tells. */
const NO_CREDIT = /credit balance is too low/i;

function isOutOfQuota({ codes, message }: ErrorBody): boolean {
  return codes.some((code) => QUOTA_CODES.has(code)) || (message !== undefined && NO_CREDIT.test(message));
}

function kindOfStatus(status: number, said: ErrorBody): LlmErrorKind {
  if (status >= 500 || status === 408 || status === 409) return 'server';
  if (status === 401) return 'authentication';
  if (status === 402 || isOutOfQuota(said)) return 'quota';
  if (status === 403) return 'permission';
  if (status === 429) return 'rate_limit';
  return said.codes.some((code) => REFUSAL_CODES.has(code)) ? 'content_refusal' : 'invalid_request';
}

function remedy(
  kind: LlmErrorKind,
  status: number,
  { retryAfterMs }: LlmErrorFacts,
  call: FailedCall,
): string {
  const { label, provider } = call;
  const model =
    call.model === undefined ? 'this model' : `the model ${JSON.stringify(call.model.slice(0, 100))}`;
  if (kind === 'server') return `${label} failed on its side (HTTP ${status}).`;
  if (kind === 'authentication')
    return `${label} refused the API key: store a valid one for the provider ${provider}.`;
  if (kind === 'permission')
    return `The API key may not use ${model} at ${label}: give it access or choose another.`;
  if (kind === 'quota')
    return `The account at ${label} has no quota left: add credit or raise its limit there.`;
  if (kind === 'content_refusal')
    return `${label} refused the prompt under its content policy: change the prompt.`;
  if (kind === 'rate_limit') {
    const wait = retryAfterMs === undefined ? '' : ` for another ${Math.ceil(retryAfterMs / 1000)} s`;
    return `${label} allows this API key no further calls${wait} (HTTP 429): raise its rate limit there if this is too slow.`;
  }
  if (status < 400)
    return `${label} redirects elsewhere (HTTP ${status}): set base_url to the final address.`;
  if (status === 404 && call.model === undefined)
    return `${label} has no list of models there: check base_url.`;
  if (status === 404) return `${label} does not know ${model} or the path: check model and base_url.`;
  if (status === 413) return `${label} finds the request too large: shorten the prompt.`;
  return `${label} refused the request as invalid (HTTP ${status}): check model and parameters.`;
}

/** What the body of an error says, in the shapes that providers and compatible servers use. */
interface ErrorBody {
  message?: string;
  codes: string[];
}

/** Reads `{error: {message, code, type}}`, `{error: "…"}`, `{message, code}` or `{detail: "…"}`. */
function readErrorBody(body: string): ErrorBody {
  const outer = parseObject(body);
  const inner =
    typeof outer?.error === 'object' && outer.error !== null
      ? (outer.error as Record<string, unknown>)
      : outer;
  if (!inner) return { codes: [] };
  const message = [inner.message, inner.error, inner.detail].find((text) => typeof text === 'string');
  return { message, codes: [inner.code, inner.type].filter((code) => typeof code === 'string') };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // an HTML page of some proxy: the status says what there is to say
  }
}

/** The provider's id of a call, where its header holds one that is safe to keep. */
export function requestIdOf(headers: Headers): string | undefined {
  const id = headers.get('x-request-id') ?? headers.get('request-id');
  return id && /^[\w.:-]{1,128}$/.test(id) ? id : undefined;
}
