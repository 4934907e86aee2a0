import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { briefError, Metrics } from '#libs/common';
import { EventLog, type Cursor, type LoggedEvent } from './event-log.js';
import { Wakeups } from './wakeups.js';

/** The part of an HTTP response that a stream needs. */
export interface StreamTarget {
  write(text: string): boolean;
  end(): void;
  on(event: 'close', listener: () => void): unknown;
}

const HEARTBEAT_MS = 15_000;
/** A reader looks by itself this often, for wake-ups that were lost. */
const POLL_MS = 2_000;
/** How soon a reader looks again while an older transaction holds events back. */
const HELD_BACK_MS = 25;
const PAGE = 500;
/** For how long somebody who was welcome counts as welcome. */
const WELCOME_MS = 1_000;

/** Who reads a stream; by default somebody who stays welcome and hears everything. */
export interface StreamReader {
  isWelcome?: () => Promise<boolean>;
  /** Whether events of a type are for this reader. */
  hears?: (type: string) => boolean;
  /** The same events without what is not for this reader; asked once for each page of what it hears. */
  shown?: (events: readonly LoggedEvent[]) => Promise<readonly LoggedEvent[]>;
}

/** Sends the events of a tenant to open screens as server-sent events. */
@Injectable()
export class EventStream implements BeforeApplicationShutdown {
  private readonly readers = new Set<Reader>();

  constructor(
    private readonly log: EventLog,
    private readonly wakeups: Wakeups,
    metrics: Metrics,
  ) {
    const { readers } = this;
    new Gauge({
      name: 'fieldsmith_event_stream_readers',
      help: 'Open streams of server-sent events.',
      registers: [metrics],
      collect() {
        this.set(readers.size);
      },
    });
  }

  /**
   * Streams until the target closes: first what happened after `lastEventId`, or a `resync` where that event is unknown
   * or no longer kept (the client then loads what it shows anew), then whatever happens.
   *
   * @param who reads: whether it is welcome is asked again and again, at most once a second, and before anything is told.
   */
  async open(
    tenantId: string,
    target: StreamTarget,
    lastEventId?: string,
    who: StreamReader = {},
  ): Promise<void> {
    const open: { reader?: Reader; closed: boolean } = { closed: false };
    // Before anything is awaited: a client may be gone by then.
    target.on('close', () => {
      open.closed = true;
      if (open.reader) this.drop(open.reader);
    });
    const found = lastEventId ? await this.log.find(tenantId, lastEventId) : undefined;
    const cursor = found ?? (await this.log.end(tenantId));
    if (open.closed) return;
    target.write(lastEventId && !found ? 'event: resync\ndata: {}\n\n' : ': connected\n\n');
    const reader = new Reader(this.log, tenantId, target, cursor, who);
    open.reader = reader;
    this.readers.add(reader);
    reader.follow(this.wakeups);
  }

  private drop(reader: Reader): void {
    reader.close();
    this.readers.delete(reader);
  }

  beforeApplicationShutdown(): void {
    for (const reader of this.readers) reader.finish();
  }
}

/** One open screen. */
class Reader {
  private readonly logger = new Logger(EventStream.name);
  private readonly heartbeat = setInterval(() => this.target.write(': heartbeat\n\n'), HEARTBEAT_MS);
  private readonly poll = setInterval(() => this.look(), POLL_MS);
  private again: NodeJS.Timeout | undefined;
  private unsubscribe: (() => void) | undefined;
  private reading = false;
  private dirty = false;
  private welcomeUntil = performance.now() + WELCOME_MS;
  private closed = false;

  constructor(
    private readonly log: EventLog,
    private readonly tenantId: string,
    private readonly target: StreamTarget,
    private cursor: Cursor,
    private readonly who: StreamReader,
  ) {}

  /** Looks whenever the tenant is woken, and now. */
  follow(wakeups: Wakeups): void {
    this.unsubscribe = wakeups.subscribe('events', (woken) => woken === this.tenantId && this.look());
    this.look();
  }

  look(): void {
    this.dirty = true;
    if (!this.reading && !this.closed) void this.drain();
  }

  finish(): void {
    this.close();
    this.target.end();
  }

  close(): void {
    this.closed = true;
    this.unsubscribe?.();
    clearInterval(this.heartbeat);
    clearInterval(this.poll);
    clearTimeout(this.again);
  }

  private async drain(): Promise<void> {
    this.reading = true;
    try {
      while (this.dirty && !this.closed) {
        this.dirty = false;
        if (performance.now() >= this.welcomeUntil) await this.endUnlessWelcome();
        await this.readPage();
      }
    } catch (error) {
      this.logger.warn(`Events could not be read, the stream tries again: ${briefError(error)}`);
    } finally {
      this.reading = false;
    }
  }

  private async endUnlessWelcome(): Promise<void> {
    const asked = performance.now();
    if (this.who.isWelcome && !(await this.who.isWelcome())) this.finish();
    this.welcomeUntil = asked + WELCOME_MS;
  }

  private async readPage(): Promise<void> {
    if (this.closed) return;
    const { events, heldBack } = await this.log.read(this.tenantId, this.cursor, PAGE);
    const heard = events.filter(({ type }) => !this.who.hears || this.who.hears(type));
    const shown = heard.length > 0 && this.who.shown ? await this.who.shown(heard) : heard;
    if (this.closed) return;
    for (const event of shown) this.send(event);
    const last = events.at(-1);
    if (last) this.cursor = cursorOf(last);
    if (events.length === PAGE) this.dirty = true;
    if (heldBack) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.look(), HELD_BACK_MS);
    }
  }

  private send({ id, type, payload }: LoggedEvent): void {
    this.target.write(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(payload)}\n\n`);
  }
}

function cursorOf({ id }: LoggedEvent): Cursor {
  const [xid = '0', seq = '0'] = id.split('-');
  return { xid, seq };
}
