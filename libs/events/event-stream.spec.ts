import { jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { Metrics } from '#libs/common';
import type { Cursor, EventLog, EventPage, LoggedEvent } from './event-log.js';
import { EventStream } from './event-stream.js';
import type { Wakeups } from './wakeups.js';

const START: Cursor = { xid: '1', seq: '-1' };

/** A log whose answers the test gives. */
class HeldLog {
  readonly ends: ((cursor: Cursor) => void)[] = [];
  readonly reads: ((page: EventPage) => void)[] = [];
  end = () => new Promise<Cursor>((resolve) => this.ends.push(resolve));
  find = () => Promise.resolve(undefined);
  read = () => new Promise<EventPage>((resolve) => this.reads.push(resolve));
}

/** What a browser has open. */
class Screen extends EventEmitter {
  readonly written: string[] = [];
  ended = false;
  write = (text: string): boolean => this.written.push(text) > 0;
  end = (): void => void (this.ended = true);
}

/** Counts the real intervals that are set and not cleared from now on. */
function watchTimers(): () => number {
  const set = jest.spyOn(globalThis, 'setInterval');
  const clear = jest.spyOn(globalThis, 'clearInterval');
  return () => {
    const cleared = new Set<unknown>(clear.mock.calls.map(([timer]) => timer));
    return set.mock.results.filter(({ value }) => !cleared.has(value)).length;
  };
}

describe('EventStream', () => {
  let log: HeldLog;
  let followers: Set<unknown>;
  let stream: EventStream;
  let screen: Screen;
  let timers: () => number;

  beforeEach(() => {
    log = new HeldLog();
    followers = new Set();
    screen = new Screen();
    const wakeups = {
      subscribe: (_topic: string, listener: unknown) => {
        followers.add(listener);
        return () => followers.delete(listener);
      },
    };
    stream = new EventStream(log as unknown as EventLog, wakeups as unknown as Wakeups, new Metrics());
    timers = watchTimers();
  });

  afterEach(() => jest.restoreAllMocks());

  /** What is left of readers: those that are woken, timers that run, and whoever a shutdown would still end. */
  function left(): object {
    stream.beforeApplicationShutdown();
    return { followers: followers.size, timers: timers(), ended: screen.ended };
  }

  it('keeps a reader while its screen is open, and ends it at shutdown', async () => {
    const opening = stream.open('acme', screen);
    log.ends[0]!(START);
    await opening;
    expect(screen.written).toEqual([': connected\n\n']);
    expect(followers.size).toBe(1);
    expect(timers()).toBe(2);
    expect(left()).toEqual({ followers: 0, timers: 0, ended: true });
  });

  it('leaves no reader behind where the screen closes while its stream opens', async () => {
    const opening = stream.open('acme', screen, '7-7');
    await Promise.resolve();
    screen.emit('close');
    log.ends[0]!(START);
    await opening;
    expect(screen.written).toEqual([]);
    expect(log.reads).toEqual([]);
    expect(left()).toEqual({ followers: 0, timers: 0, ended: false });
  });

  it('leaves no reader behind where the screen closes while events are read, and writes no more', async () => {
    const opening = stream.open('acme', screen);
    log.ends[0]!(START);
    await opening;
    screen.emit('close');
    log.reads[0]!({ events: [{ id: '2-1', type: 'record.updated', payload: {} }], heldBack: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(screen.written).toEqual([': connected\n\n']);
    expect(left()).toEqual({ followers: 0, timers: 0, ended: false });
  });

  it('asks once for each page what of it is shown, and goes on behind what is not', async () => {
    const event = (seq: number, type = 'record.updated') => ({ id: `2-${seq}`, type, payload: { seq } });
    const asked: number[] = [];
    const shown = (events: readonly LoggedEvent[]) => {
      asked.push(events.length);
      return Promise.resolve(events.map((one) => ({ ...one, payload: {} })));
    };
    const hears = (type: string) => type === 'record.updated';
    const opening = stream.open('acme', screen, undefined, { hears, shown });
    log.ends[0]!(START);
    await opening;
    const cursors = jest.spyOn(log, 'read');
    log.reads[0]!({ events: [event(1), event(2), event(3, 'budget.alert')], heldBack: false });
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([2]);
    expect(screen.written.slice(1)).toEqual(
      [1, 2].map((n) => `id: 2-${n}\nevent: record.updated\ndata: {}\n\n`),
    );
    for (const follower of followers) (follower as (tenantId: string) => void)('acme');
    expect(cursors).toHaveBeenCalledWith('acme', { xid: '2', seq: '3' }, expect.any(Number));
    stream.beforeApplicationShutdown();
  });

  it('ends a stream whose reader is no longer welcome, before anything more is told', async () => {
    jest.useFakeTimers();
    const answers = [true, false];
    const asked: number[] = [];
    const isWelcome = () => {
      asked.push(performance.now());
      return Promise.resolve(answers.shift()!);
    };
    const began = performance.now();
    const opening = stream.open('acme', screen, undefined, { isWelcome });
    log.ends[0]!(START);
    await opening;
    const happen = async (seq: number): Promise<void> => {
      await jest.advanceTimersByTimeAsync(2_000);
      const payload = { seq };
      log.reads.at(-1)!({ events: [{ id: `2-${seq}`, type: 'record.updated', payload }], heldBack: false });
      await jest.advanceTimersByTimeAsync(0);
    };
    log.reads[0]!({ events: [], heldBack: false });
    await happen(1);
    await happen(2);
    jest.useRealTimers();
    expect(asked.map((at) => at - began)).toEqual([2_000, 4_000]);
    expect(screen.written.join('')).toContain('"seq":1');
    expect(screen.written.join('')).not.toContain('"seq":2');
    expect(screen.ended).toBe(true);
    expect(followers.size).toBe(0);
  });
});
