import { inspect } from 'node:util';
import { loggableError } from './loggable-error.js';

describe('loggableError', () => {
  it('leaves out what a library hangs on its error', () => {
    const inner = Object.assign(new Error('bad value'), { code: '22P02', detail: 'Key (ssn)=(123-45-6789)' });
    const error = Object.assign(new Error('query failed', { cause: inner }), { parameters: ['123-45-6789'] });
    const logged = loggableError(error);
    expect(logged).toMatchObject({ message: 'query failed', cause: { code: '22P02', message: 'bad value' } });
    expect(inspect(logged, { depth: null })).not.toContain('6789');
  });

  it('makes nothing of what is no error', () => {
    expect(loggableError('secret')).toEqual({ name: 'unknown', message: 'string' });
  });
});
