import { RequestCounts, type SharedCounts } from './request-counts.js';

const WINDOW_MS = 10_000;
const LIMIT = 5;

/** Counts as Redis keeps them, answered when the test says so. */
class Shared implements SharedCounts {
  up = true;
  total = 0;
  readonly asked: number[] = [];
  private waiting: (() => void)[] = [];

  add(_key: string, requests: number): Promise<{ total: number; restMs: number }> {
    this.asked.push(requests);
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        if (!this.up) return reject(new Error('away'));
        this.total += requests;
        resolve({ total: this.total, restMs: 4000 });
      });
    });
  }

  async answer(): Promise<void> {
    for (const give of this.waiting.splice(0)) give();
    await new Promise(setImmediate);
  }
}

function counting(shared?: SharedCounts) {
  let now = 1_000_000;
  const counts = new RequestCounts({ now: () => new Date(now) }, shared);
  const ask = async (key = 'a') => {
    const { isBlocked, timeToBlockExpire } = await counts.increment(key, WINDOW_MS, LIMIT);
    return isBlocked ? timeToBlockExpire : 'through';
  };
  const askTimes = async (times: number) => {
    for (let n = 0; n < times; n += 1) await ask();
  };
  return { ask, askTimes, wait: (ms: number) => (now += ms) };
}

describe('RequestCounts', () => {
  it('lets through the limit in a window, tells when it ends, and begins anew', async () => {
    const { ask, askTimes, wait } = counting();
    await askTimes(LIMIT - 1);
    expect(await ask()).toBe('through');
    wait(2_500);
    expect(await ask()).toBe(8);
    expect(await ask('b')).toBe('through');
    wait(7_499);
    expect(await ask()).toBe(1);
    wait(1);
    expect(await ask()).toBe('through');
  });

  it('does not count what it stops', async () => {
    const shared = new Shared();
    const { askTimes } = counting(shared);
    await askTimes(100);
    await shared.answer();
    await shared.answer();
    expect(shared.total).toBe(LIMIT);
  });

  it('waits for no answer, and tells what came meanwhile in one command', async () => {
    const shared = new Shared();
    const { askTimes } = counting(shared);
    await askTimes(4);
    expect(shared.asked).toEqual([1]);
    await shared.answer();
    expect(shared.asked).toEqual([1, 3]);
  });

  it('counts what other processes let through, until the window that they share ends', async () => {
    const shared = new Shared();
    shared.total = LIMIT;
    const { ask, wait } = counting(shared);
    expect(await ask()).toBe('through');
    await shared.answer();
    expect(await ask()).toBe(4);
    wait(4000);
    expect(await ask()).toBe('through');
  });

  it('counts its own while the shared counts are away or fail, and theirs once they are back', async () => {
    const shared = new Shared();
    const { ask, askTimes, wait } = counting(shared);
    await askTimes(2);
    shared.up = false;
    await shared.answer();
    await askTimes(3);
    expect(shared.asked).toEqual([1]);
    expect(await ask()).toBe(10);
    shared.up = true;
    shared.total = 100;
    wait(WINDOW_MS);
    expect(await ask()).toBe('through');
    await shared.answer();
    expect(await ask()).toBe(4);
  });
});
