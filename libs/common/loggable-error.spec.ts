import { inspect } from 'node:util';
import { briefError, loggableError } from './loggable-error.js';

describe('loggableError', () => {
  it('leaves out what a library hangs on its error', () => {
    const inner = Object.assign(new Error('bad value'), { code: '22P02', detail: 'Key (ssn)=(123-45-6789)' });
    const error = Object.assign(new Error('query failed', { cause: inner }), { parameters: ['123-45-6789'] });
    const logged = loggableError(error);
    expect(logged).toMatchObject({ message: 'query failed', cause: { code: '22P02', message: 'bad value' } });
    expect(inspect(logged, { depth: null })).not.toContain('6789');
  });

  it('leaves out what a parser quotes of its input, in the message and in the stack', () => {
    const parse = (): unknown => JSON.parse('{"ssn": 123-45-6789}');
    const data = Object.assign(new Error('invalid input syntax for type date: "123-45-6789"'), {
      code: '22007',
    });
    for (const error of [caught(parse), data, new Error('outer', { cause: data })]) {
      expect(inspect(loggableError(error), { depth: null })).not.toContain('6789');
      expect(loggableError(error).stack).toContain('loggable-error.spec');
      expect(briefError(error)).not.toContain('6789');
    }
    expect(briefError(data)).toBe('Error: invalid input syntax for type date: "…"');
  });

  it('keeps names that errors quote', () => {
    const error = Object.assign(new Error('relation "ai_jobs" does not exist'), { code: '42P01' });
    expect(loggableError(error).message).toBe('relation "ai_jobs" does not exist');
  });

  it('makes nothing of what is no error', () => {
    expect(loggableError('secret')).toEqual({ name: 'unknown', message: 'string' });
  });
});

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
