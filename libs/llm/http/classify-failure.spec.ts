import { inspect } from 'node:util';
import { LlmError } from '../llm-error.js';
import { classifyFailure, type FailedCall } from './classify-failure.js';
import { TransportFailure } from './provider-fetch.js';

const call: FailedCall = {
  provider: 'openai',
  label: 'OpenAI',
  model: 'gpt-4.1',
  timeoutMs: 30_000,
  endedBy: undefined,
  apiKey: 'sk-proj-4f9aQ2zX81LmNoPq',
  sent: ['The salary of Ada Lovelace'],
};
const wrapped = (cause: Error) => new Error('Connection error.', { cause });

describe('classifyFailure', () => {
  it.each([
    ['ECONNRESET', false, 'connection', 'unknown', true],
    ['EAI_AGAIN', true, 'connection', 'none', true],
    ['CERT_HAS_EXPIRED', true, 'connection', 'none', true],
    ['HPE_INVALID_CONSTANT', false, 'bad_answer', 'unknown', true],
    ['ERR__ERROR_FORMAT_PADDING_1', false, 'bad_answer', 'unknown', true],
    [undefined, false, 'unknown', 'unknown', false],
  ])('takes %s for what it is, wrapped or not', (code, neverLeft, kind, billing, retryable) => {
    const failure = new TransportFailure(code, neverLeft);
    expect(classifyFailure(failure, call)).toMatchObject({ kind, billing, retryable });
    expect(classifyFailure(wrapped(failure), call)).toMatchObject({ kind, billing, retryable });
  });

  it('believes the deadline before the broken connection that it caused', () => {
    const failure = wrapped(new TransportFailure('ECONNRESET', false));
    expect(classifyFailure(failure, { ...call, endedBy: 'timeout' })).toMatchObject({ kind: 'timeout' });
    expect(classifyFailure(failure, { ...call, endedBy: 'abort' })).toMatchObject({
      kind: 'connection',
      billing: 'unknown',
    });
  });

  it('leaves an LlmError alone', () => {
    const error = new LlmError('quota', 'No credit.', { billing: 'none' });
    expect(classifyFailure(error, { ...call, endedBy: 'timeout' })).toBe(error);
  });

  it('keeps what is unknown unknown, and shows where but not what', () => {
    const failed = classifyFailure(new TypeError(`${call.apiKey}\n    at ${call.sent[0]}`), call);
    expect(failed).toMatchObject({ kind: 'unknown', retryable: false, billing: 'unknown', status: 502 });
    expect(failed.message).toBe('The call to OpenAI failed in a way that is not known (TypeError).');
    expect(failed.stack).toContain('classify-failure.spec');
    expect(inspect(failed, { showHidden: true })).not.toMatch(/Lovelace|sk-proj/);
  });

  it('copes with what is no error', () => {
    expect(classifyFailure('boom', call)).toMatchObject({
      kind: 'unknown',
      message: expect.stringContaining('(string)'),
    });
  });
});
