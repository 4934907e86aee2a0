import fc from 'fast-check';
import { hintOf } from './lane-queues.js';

const JOB = '019a8f6e-5d2b-7c3a-9b1e-0123456789ab';

describe('hintOf', () => {
  it('reads what the dispatcher writes', () => {
    expect(hintOf({ data: { tenantId: 't1', jobId: JOB } })).toEqual({ tenantId: 't1', jobId: JOB });
  });

  it('leaves out whatever else a message holds', () => {
    expect(hintOf({ data: { tenantId: 't1', jobId: JOB, force: true } })).toEqual({
      tenantId: 't1',
      jobId: JOB,
    });
  });

  it.each([
    ['no tenant', { jobId: JOB }],
    ['an empty tenant', { tenantId: '', jobId: JOB }],
    ['a tenant that no column holds', { tenantId: 'a\0b', jobId: JOB }],
    ['half a character', { tenantId: '\ud800', jobId: JOB }],
    ['a tenant too long', { tenantId: 'x'.repeat(201), jobId: JOB }],
    ['a job that is no id', { tenantId: 't1', jobId: 'job' }],
    ['a list', ['t1', JOB]],
  ])('knows a message with %s for none of ours', (_, data) => {
    expect(hintOf({ data })).toBeUndefined();
  });

  it('never throws, whatever was written', () => {
    fc.assert(
      fc.property(fc.anything(), (data) => {
        expect(hintOf({ data })).toBeUndefined();
      }),
    );
  });
});
