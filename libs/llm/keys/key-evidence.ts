import { LlmError, type LlmErrorKind } from '../llm-error.js';

/** What the outcome of a call says about the key it was made with. */
export type KeyEvidence = 'works' | 'fails' | 'nothing';

const EVIDENCE: Record<LlmErrorKind, KeyEvidence> = {
  authentication: 'fails',
  quota: 'fails',
  // The provider knew the key, and looked at what was asked.
  permission: 'works',
  invalid_request: 'works',
  content_refusal: 'works',
  timeout: 'nothing',
  connection: 'nothing',
  server: 'nothing',
  rate_limit: 'nothing',
  bad_answer: 'nothing',
  unknown: 'nothing',
};

/**
 * What a call shows of its key.
 *
 * @param error what the call failed with; undefined where it was answered.
 * @example keyEvidence(new LlmError('quota', 'no credit', { billing: 'none' })) // 'fails'
 */
export function keyEvidence(error: unknown): KeyEvidence {
  if (error === undefined) return 'works';
  if (!(error instanceof LlmError)) return 'nothing';
  const evidence = EVIDENCE[error.kind];
  return evidence === 'works' && !wasLookedAt(error) ? 'nothing' : evidence;
}

/** Whether the provider itself refused the request: one that was refused before it was sent, or redirected, met no key. */
function wasLookedAt({ httpStatus }: LlmError): boolean {
  return httpStatus !== undefined && httpStatus >= 400;
}

/** How many failures in a row open a key's breaker. */
export const FAILURES_TO_OPEN = 3;

const REASON_CHARS = 500;

/**
 * Why a key fails, for all who wait for it. Of a shared key in words of ours: what its provider said was said about one
 * tenant's call.
 */
export function reasonOf({ kind, message }: LlmError, shared: boolean): string {
  if (!shared) return message.slice(0, REASON_CHARS);
  return kind === 'quota' ? 'its account has no quota left.' : 'the provider refuses it.';
}
