import { prettyLine } from './pretty-line.js';

describe('prettyLine', () => {
  it('is for reading: time, level, context, message, fields, stack', () => {
    const line = {
      level: 'error',
      timestamp: '2026-11-20T10:30:00.000Z',
      pid: 1,
      hostname: 'h',
      context: 'Job',
      message: 'job failed',
      job_id: '1',
      tokens: 7,
      err: { name: 'Error', message: 'no', stack: 'Error: no\n    at x' },
    };
    expect(prettyLine(JSON.stringify(line))).toBe(
      '10:30:00 ERROR [Job] job failed job_id=1 tokens=7\nError: no\n    at x\n',
    );
  });

  it('tells the error where there is no message', () => {
    const line = {
      level: 'warn',
      timestamp: '2026-11-20T10:30:00.000Z',
      err: { name: 'Error', message: 'no' },
    };
    expect(prettyLine(JSON.stringify(line))).toBe('10:30:00 WARN  no\n');
  });
});
