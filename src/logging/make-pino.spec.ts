import { makePino } from './make-pino.js';

describe('makePino', () => {
  const written: string[] = [];
  const logger = makePino('info', { write: (line) => void written.push(line) });
  const last = () => JSON.parse(written.at(-1)!) as Record<string, unknown>;

  it('writes one object a line, with the keys that monitoring goes by', () => {
    logger.warn({ message: 'job failed', job_id: '1', tenant_id: 't', err: new Error('no') });
    expect(written.at(-1)).toMatch(/^\{.*\}\n$/);
    expect(last()).toMatchObject({
      level: 'warn',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      message: 'job failed',
      job_id: '1',
      tenant_id: 't',
      err: { name: 'Error', message: 'no' },
    });
    expect(Object.keys(last()['err'] as object).sort()).toEqual(['message', 'name', 'stack']);
    logger.info({ context: 'Fieldsmith' }, '12 migrations were run.');
    expect(last()).toMatchObject({
      level: 'info',
      message: '12 migrations were run.',
      context: 'Fieldsmith',
    });
  });

  it('writes nothing below its level', () => {
    const before = written.length;
    logger.debug('details');
    expect(written).toHaveLength(before);
  });

  it('hides what is secret in fields, errors and messages', () => {
    logger.error({
      err: new Error('the key sk-abcdefghijkl is wrong'),
      api_key: 'plain',
      prompt: 'of a person',
    });
    expect(last()).toMatchObject({ err: { message: 'the key [redacted] is wrong' } });
    logger.error('connect postgres://ann:hunter2@db/x');
    for (const secret of ['abcdefghijkl', 'plain', 'of a person', 'hunter2'])
      expect([secret, written.join('').includes(secret)]).toEqual([secret, false]);
  });
});
