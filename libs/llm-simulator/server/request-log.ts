import type { Usage } from '../wires/wire.js';

/** One request as it was received, and what became of it. */
export interface ReceivedRequest {
  /** Counts up from 1 and never starts again. */
  seq: number;
  /** ISO 8601. */
  time: string;
  method: string;
  path: string;
  api_key_last_four: string | null;
  /** The parsed body; the start of its text where it is no JSON. */
  body: unknown;
  /** Absent until something was answered. */
  answer?: {
    status: number;
    text: string;
    usage: Usage | null;
    /** Whether all of it was handed to the network. */
    complete: boolean;
  };
  /** Whether the connection ended before the answer was complete. */
  disconnected: boolean;
}

/** What all logged bodies may weigh together, in bytes as received. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The last requests, oldest first; bounded in number and in bytes. */
export class RequestLog {
  private entries: { request: ReceivedRequest; bytes: number }[] = [];
  private bytes = 0;
  private lastSeq = 0;
  private count = 0;
  private waiters: { least: number; met: () => void }[] = [];

  constructor(
    private readonly keep: boolean,
    private readonly most: number,
  ) {}

  add(request: Omit<ReceivedRequest, 'seq' | 'disconnected'>, bytes: number): ReceivedRequest {
    const entry: ReceivedRequest = { seq: ++this.lastSeq, ...request, disconnected: false };
    this.count += 1;
    if (this.keep) this.push(entry, bytes);
    const met = this.waiters.filter(({ least }) => this.count >= least);
    this.waiters = this.waiters.filter(({ least }) => this.count < least);
    for (const waiter of met) waiter.met();
    return entry;
  }

  private push(request: ReceivedRequest, bytes: number): void {
    this.entries.push({ request, bytes });
    this.bytes += bytes;
    while (this.entries.length > this.most || this.bytes > MOST_BYTES) {
      this.bytes -= this.entries.shift()?.bytes ?? 0;
    }
  }

  /** The requests kept whose number is above `after`. */
  list(after = 0): ReceivedRequest[] {
    return this.entries.map(({ request }) => request).filter(({ seq }) => seq > after);
  }

  /** Forgets all requests and counts from zero again. */
  clear(): void {
    this.entries = [];
    this.bytes = 0;
    this.count = 0;
  }

  /** Requests since the start or the last clearing, kept or not. */
  get received(): number {
    return this.count;
  }

  /** Resolves when so many requests have been received; false where the signal aborted first. */
  wait(least: number, signal: AbortSignal): Promise<boolean> {
    if (this.count >= least) return Promise.resolve(true);
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const waiter = { least, met: () => settle(true) };
      const given = () => settle(false);
      const settle = (reached: boolean) => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        signal.removeEventListener('abort', given);
        resolve(reached);
      };
      this.waiters.push(waiter);
      signal.addEventListener('abort', given);
    });
  }
}
