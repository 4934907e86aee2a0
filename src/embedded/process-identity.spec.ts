import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { identify, isAlive, psOutput, signal } from './process-identity.js';

describe('process identity', () => {
  it('is the same each time', () => {
    expect(identify(process.pid)).toEqual({ pid: process.pid, startedAt: expect.stringMatching(/\d/) });
    expect(identify(process.pid)).toEqual(identify(process.pid));
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31 - 1])('knows nobody by the id %p', (pid) => {
    expect(identify(pid)).toBeUndefined();
  });

  it('ends with the process', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identify(child.pid ?? 0) ?? { pid: 0, startedAt: '' };
    expect(isAlive(identity)).toBe(true);
    const exit = once(child, 'exit');
    signal(identity, 'SIGTERM');
    expect(await exit).toEqual([null, 'SIGTERM']);
    expect(isAlive(identity)).toBe(false);
    expect(() => signal(identity, 'SIGTERM')).not.toThrow();
  });

  it('never signals another process that has the id by now', async () => {
    const child = spawn('sleep', ['60']);
    signal({ pid: child.pid ?? 0, startedAt: 'once upon a time' }, 'SIGTERM');
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    expect(await exit).toEqual([null, 'SIGKILL']);
  });

  it('asks ps where there is no /proc', () => {
    expect(psOutput(process.pid, 'pid=')).toBe(String(process.pid));
    expect(psOutput(2 ** 22 + 1, 'pid=')).toBeUndefined();
  });
});
