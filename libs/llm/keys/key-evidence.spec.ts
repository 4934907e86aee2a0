import { LlmError, type LlmErrorKind } from '../llm-error.js';
import { keyEvidence, reasonOf } from './key-evidence.js';

function failure(kind: LlmErrorKind): LlmError {
  return new LlmError(kind, `said of one call: ${kind}`, { billing: 'none' });
}

describe('keyEvidence', () => {
  it('takes an answer, and every refusal of what was asked, for a key that works', () => {
    expect(keyEvidence(undefined)).toBe('works');
    for (const kind of ['invalid_request', 'content_refusal', 'permission'] as const)
      expect(keyEvidence(failure(kind))).toBe('works');
  });

  it('takes a refusal of the key and an empty account for a key that fails', () => {
    for (const kind of ['authentication', 'quota'] as const) expect(keyEvidence(failure(kind))).toBe('fails');
  });

  it('learns nothing from trouble on the way, nor from a pause', () => {
    for (const kind of ['timeout', 'connection', 'server', 'rate_limit', 'bad_answer', 'unknown'] as const)
      expect(keyEvidence(failure(kind))).toBe('nothing');
    expect(keyEvidence(new TypeError('a fault of ours'))).toBe('nothing');
  });
});

describe('reasonOf', () => {
  it("tells a tenant what its own key met, and of a shared key nothing that was said about another's call", () => {
    expect(reasonOf(failure('quota'), false)).toContain('said of one call');
    expect(reasonOf(failure('quota'), true)).toBe('its account has no quota left.');
    expect(reasonOf(failure('authentication'), true)).toBe('the provider refuses it.');
  });
});
