import fc from 'fast-check';
import { scrub, scrubLine } from './scrub.js';

describe('scrub', () => {
  it('leaves out secrets and content at any depth, and keeps ids, codes and counts', () => {
    const line = {
      job_id: '1',
      max_tokens: 100,
      tokens: 7,
      error_code: 'provider_timeout',
      api_key: 'k',
      nested: { headers: { cookie: 'c' }, apiKey: 'k', access_token: 't', list: [{ prompt: 'p', n: 1 }] },
      answer: 'a',
    };
    expect(scrub(line)).toEqual({
      job_id: '1',
      max_tokens: 100,
      tokens: 7,
      error_code: 'provider_timeout',
      api_key: '[redacted]',
      nested: {
        headers: '[withheld]',
        apiKey: '[redacted]',
        access_token: '[redacted]',
        list: [{ prompt: '[withheld]', n: 1 }],
      },
      answer: '[withheld]',
    });
  });

  it('makes of an error what may be logged of it', () => {
    const error = Object.assign(new TypeError('no'), { parameters: ['a value'] });
    expect(scrub({ err: error })).toEqual({
      err: { name: 'TypeError', message: 'no', stack: expect.any(String) },
    });
  });

  it('ends on what has no end', () => {
    const circle: Record<string, unknown> = { n: 1 };
    circle['inner'] = circle;
    expect(JSON.stringify(scrub(circle))).toContain('[deeper]');
  });

  it('never shows what stands under the name of a secret', () => {
    const name = fc.constantFrom(
      'password',
      'passphrase',
      'client_secret',
      'Authorization',
      'set-cookie',
      'token',
    );
    fc.assert(
      fc.property(name, fc.string({ minLength: 1 }), fc.nat(3), (key, secret, depth) => {
        let value: object = { [key]: `<<${secret}>>` };
        for (let level = 0; level < depth; level += 1) value = { inner: value };
        expect(JSON.stringify(scrub(value))).not.toContain('<<');
      }),
    );
  });
});

describe('scrubLine', () => {
  it.each([
    ['"message":"Incorrect key sk-proj-abcdef123456"', 'abcdef'],
    ['"message":"sent Authorization: Bearer eyJhbGciOi.J9.x-_"', 'eyJ'],
    ['"message":"connect postgres://ann:hunter2@db:5432/x"', 'hunter2'],
  ])('finds secrets by their shape: %s', (line, secret) => {
    expect(scrubLine(line)).not.toContain(secret);
  });

  it('leaves a line without any as it is', () => {
    const line = '{"level":"info","path":"/api/v1/records/0198-aa","url":"http://127.0.0.1:3000/a:b"}\n';
    expect(scrubLine(line)).toBe(line);
  });
});
