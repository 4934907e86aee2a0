import type { Request, Response } from 'express';
import type { FieldsmithError } from '#libs/common';
import { operatorGate } from './operator-gate.js';

const TOKEN = 'operators-own-secret';

/** A gate at a time that the test sets. */
function gateAt(token = TOKEN) {
  const clock = { time: 0, now: () => new Date(clock.time) };
  const gate = operatorGate(token, clock);
  const headers: Record<string, unknown> = {};
  const ask = (authorization?: string, ip = '192.0.2.1'): FieldsmithError | undefined => {
    let answer: FieldsmithError | undefined;
    const response = { setHeader: (name: string, value: unknown) => (headers[name] = value) };
    gate(
      { ip, headers: { authorization } } as Request,
      response as unknown as Response,
      (error?: unknown) => {
        answer = error as FieldsmithError | undefined;
      },
    );
    return answer;
  };
  return { clock, ask, headers };
}

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('operatorGate', () => {
  it('lets the secret pass as a token, or as the password of any user', () => {
    const { ask } = gateAt();
    expect(ask(`Bearer ${TOKEN}`)).toBeUndefined();
    expect(ask(`bearer  ${TOKEN}`)).toBeUndefined();
    expect(ask(basic('', TOKEN))).toBeUndefined();
    expect(ask(basic('ops', TOKEN))).toBeUndefined();
  });

  it.each([
    ['nothing', undefined],
    ['a wrong token', 'Bearer wrong'],
    ['a part of the secret', `Bearer ${TOKEN.slice(0, -1)}`],
    ['the secret as the user', basic(TOKEN, 'x')],
    ['no scheme', TOKEN],
    ['another scheme', `Digest ${TOKEN}`],
    ['an empty password', basic('ops', '')],
  ])('asks whoever gives %s for it', (_, authorization) => {
    const { ask, headers } = gateAt();
    expect(ask(authorization)).toMatchObject({ status: 401, code: 'operator_only' });
    expect(headers['www-authenticate']).toMatch(/^Basic realm=/);
  });

  it('keeps a colon within the secret', () => {
    const { ask } = gateAt('sixteen:characters');
    expect(ask(basic('ops', 'sixteen:characters'))).toBeUndefined();
  });

  it('refuses an address after ten wrong secrets for a minute, also the right one, and no other address', () => {
    const { ask, clock } = gateAt();
    for (let n = 0; n < 10; n++) expect(ask('Bearer wrong')).toMatchObject({ status: 401 });
    clock.time = 59_000;
    expect(ask(`Bearer ${TOKEN}`)).toMatchObject({ status: 429, retryAfterSeconds: 1 });
    expect(ask(`Bearer ${TOKEN}`, '192.0.2.2')).toBeUndefined();
    clock.time = 60_000;
    expect(ask(`Bearer ${TOKEN}`)).toBeUndefined();
  });

  it('counts nobody who gives no secret, for browsers ask first', () => {
    const { ask } = gateAt();
    for (let n = 0; n < 30; n++) ask();
    expect(ask(`Bearer ${TOKEN}`)).toBeUndefined();
  });
});
