import { RequestLog } from './request-log.js';

const request = {
  time: '2026-01-01T00:00:00.000Z',
  method: 'POST',
  path: '/v1/messages',
  api_key_last_four: null,
  body: {},
};
const never = new AbortController().signal;

describe('RequestLog', () => {
  it('keeps the last requests, bounded in number and in bytes', () => {
    const log = new RequestLog(true, 3);
    for (let index = 0; index < 5; index++) log.add(request, 10);
    expect(log.list().map(({ seq }) => seq)).toEqual([3, 4, 5]);
    expect(log.list(4).map(({ seq }) => seq)).toEqual([5]);
    log.add(request, 60 * 1024 * 1024);
    log.add(request, 10 * 1024 * 1024);
    expect(log.list().map(({ seq }) => seq)).toEqual([7]);
  });

  it('keeps none but counts where it is off', () => {
    const log = new RequestLog(false, 3);
    log.add(request, 10);
    expect([log.list().length, log.received]).toEqual([0, 1]);
  });

  it('wakes who waits for so many, or says that it was in vain', async () => {
    const log = new RequestLog(true, 3);
    const two = log.wait(2, never);
    const gone = new AbortController();
    const three = log.wait(3, gone.signal);
    log.add(request, 1);
    log.add(request, 1);
    gone.abort();
    await expect(two).resolves.toBe(true);
    await expect(three).resolves.toBe(false);
    await expect(log.wait(2, never)).resolves.toBe(true);
    log.clear();
    await expect(log.wait(1, gone.signal)).resolves.toBe(false);
  });
});
