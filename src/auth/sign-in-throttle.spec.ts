import 'reflect-metadata';
import { SignInThrottle, TooManyAttemptsError } from './sign-in-throttle.js';

const MINUTE = 60_000;

function at(start = 0) {
  let now = start;
  const throttle = new SignInThrottle({ now: () => new Date(now) });
  const fail = (email: string, address: string) => {
    try {
      throttle.begin(email, address);
      return 'let through';
    } catch (error) {
      return (error as TooManyAttemptsError).retryAfterSeconds;
    }
  };
  return { throttle, fail, wait: (ms: number) => (now += ms) };
}

describe('SignInThrottle', () => {
  it('stops the eleventh failure of an e-mail, wherever it comes from, until the window ends', () => {
    const { fail, wait } = at();
    for (let n = 0; n < 10; n += 1) expect(fail('a@x.de', `10.0.0.${n}`)).toBe('let through');
    wait(5 * MINUTE);
    expect(fail('a@x.de', '10.0.1.1')).toBe(600);
    expect(fail('b@x.de', '10.0.1.1')).toBe('let through');
    wait(10 * MINUTE);
    expect(fail('a@x.de', '10.0.1.1')).toBe('let through');
  });

  it('stops the fifty-first failure from an address', () => {
    const { fail } = at();
    for (let n = 0; n < 50; n += 1) expect(fail(`${n}@x.de`, '10.0.0.1')).toBe('let through');
    expect(fail('new@x.de', '10.0.0.1')).toBe(900);
    expect(fail('new@x.de', '10.0.0.2')).toBe('let through');
  });

  it('does not count what succeeds', () => {
    const { throttle, fail } = at();
    for (let n = 0; n < 100; n += 1) throttle.begin('a@x.de', '10.0.0.1')();
    expect(fail('a@x.de', '10.0.0.1')).toBe('let through');
  });

  it('does not count what it stops', () => {
    const { fail, wait } = at();
    for (let n = 0; n < 100; n += 1) fail('a@x.de', '10.0.0.1');
    wait(15 * MINUTE);
    for (let n = 0; n < 10; n += 1) expect(fail('a@x.de', '10.0.0.1')).toBe('let through');
  });
});
