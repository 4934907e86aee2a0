/** A server-sent event as a test sees it. */
export interface SeenEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** Reads the event stream of a tenant and wakes whoever waits for something to happen. */
export class EventReader {
  readonly events: SeenEvent[] = [];
  /** Resolves when the stream has ended, whoever ended it. */
  readonly ended: Promise<void>;
  private readonly abort = new AbortController();
  private readonly waiters = new Set<() => void>();

  private constructor(private readonly response: Response) {
    this.ended = this.read();
  }

  static async open(url: string, token: string, lastEventId?: string): Promise<EventReader> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (lastEventId) headers['last-event-id'] = lastEventId;
    const abort = new AbortController();
    const response = await fetch(`${url}/api/v1/events`, { headers, signal: abort.signal });
    if (response.status !== 200)
      throw new Error(`GET /events answered ${response.status}: ${await response.text()}`);
    const reader = new EventReader(response);
    reader.abort.signal.addEventListener('abort', () => abort.abort());
    return reader;
  }

  /** Resolves at the next event, or when the stream ends. */
  next(): Promise<void> {
    return new Promise((resolve) => this.waiters.add(resolve));
  }

  close(): void {
    this.abort.abort();
    this.wake();
  }

  private async read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of this.response.body as unknown as AsyncIterable<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) this.take(block);
      }
    } catch {
      // The stream was closed, by the test or with the product.
    }
    this.wake();
  }

  private take(block: string): void {
    const fields = new Map(
      block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const type = fields.get('event');
    if (!type) return;
    this.events.push({
      id: fields.get('id') ?? '',
      type,
      data: JSON.parse(fields.get('data') ?? '{}') as Record<string, unknown>,
    });
    this.wake();
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter();
    this.waiters.clear();
  }
}
