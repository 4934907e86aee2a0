import { LlmError, type LlmErrorKind } from '../llm-error.js';
import { OpenAiProvider } from '../openai/openai-provider.js';
import { keyEvidence, reasonOf } from './key-evidence.js';

function failure(kind: LlmErrorKind, httpStatus?: number): LlmError {
  return new LlmError(kind, `said of one call: ${kind}`, { billing: 'none', httpStatus });
}

describe('keyEvidence', () => {
  it('takes an answer, and every refusal of what was asked, for a key that works', () => {
    expect(keyEvidence(undefined)).toBe('works');
    for (const kind of ['invalid_request', 'content_refusal', 'permission'] as const)
      expect(keyEvidence(failure(kind, 400))).toBe('works');
  });

  it('learns nothing from a request that was never looked at', async () => {
    expect(keyEvidence(failure('invalid_request'))).toBe('nothing');
    expect(keyEvidence(failure('invalid_request', 308))).toBe('nothing');
    const request = { model: 'm', messages: [], maxTokens: 1, timeoutMs: 1000 };
    const refuse = async (credentials: {
      baseUrl?: string;
      mayConnect?: () => boolean;
    }): Promise<unknown> => {
      const provider = new OpenAiProvider({ name: 'openai_compatible', label: 'Server' });
      return provider.call(request, { apiKey: 'sk-1', ...credentials }).catch((error: unknown) => error);
    };
    for (const error of [
      await refuse({ baseUrl: 'no address' }),
      await refuse({ baseUrl: 'http://127.0.0.1:1/v1', mayConnect: () => false }),
    ]) {
      expect(error).toMatchObject({ kind: 'invalid_request' });
      expect(keyEvidence(error)).toBe('nothing');
    }
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
