import { getEventListeners, once } from 'node:events';
import { openDeadline } from './deadline.js';

describe('openDeadline', () => {
  it('ends by timeout', async () => {
    const deadline = openDeadline(1);
    await once(deadline.signal, 'abort');
    expect(deadline.endedBy).toBe('timeout');
    deadline.close();
  });

  it('ends by the caller, and the first reason stays', () => {
    const outer = new AbortController();
    const deadline = openDeadline(60_000, outer.signal);
    expect(deadline.endedBy).toBeUndefined();
    outer.abort();
    expect(deadline.signal.aborted).toBe(true);
    expect(deadline.endedBy).toBe('abort');
    deadline.close();
  });

  it('ends at once when the caller has already given up', () => {
    const deadline = openDeadline(60_000, AbortSignal.abort());
    expect(deadline.endedBy).toBe('abort');
    deadline.close();
  });

  it('leaves nothing on a signal that lives as long as the process', () => {
    const outer = new AbortController();
    const deadline = openDeadline(60_000, outer.signal);
    expect(getEventListeners(outer.signal, 'abort')).toHaveLength(1);
    deadline.close();
    expect(getEventListeners(outer.signal, 'abort')).toHaveLength(0);
  });

  it.each([0, -1, NaN])('refuses a time of %d', (timeoutMs) => {
    expect(() => openDeadline(timeoutMs)).toThrow(RangeError);
  });
});
