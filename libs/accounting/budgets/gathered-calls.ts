/** So many requests go together at most. */
const MOST = 100;

interface Waiting<Request, Result> {
  request: Request;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Sends requests at once where none of their kind is under way; those that come meanwhile wait for it and go together. So a
 * transaction that all would queue for is made once for many, and a lonely request waits for nobody.
 *
 * @example
 * const gathered = new GatheredCalls((requests: number[]) => Promise.resolve(requests.map((n) => n * 2)));
 * await gathered.ask('doubles', 21); // 42
 */
export class GatheredCalls<Request, Result> {
  /** What waits, by kind; a kind is here as long as a call of it is under way. */
  private readonly waiting = new Map<string, Waiting<Request, Result>[]>();

  /**
   * @param send does requests of one kind, all or none of them, and gives a result for each, in their order.
   * @param isShared whether an error of several requests is every one's, so that asking for each alone would not help.
   */
  constructor(
    private readonly send: (requests: Request[]) => Promise<Result[]>,
    private readonly isShared: (error: unknown) => boolean = () => false,
  ) {}

  /** @param kind of requests that may go together. @throws what `send` throws for this request. */
  ask(kind: string, request: Request): Promise<Result> {
    return new Promise((resolve, reject) => {
      const waiting = { request, resolve, reject };
      const queue = this.waiting.get(kind);
      if (queue) return void queue.push(waiting);
      this.waiting.set(kind, []);
      void this.empty(kind, [waiting]);
    });
  }

  private async empty(kind: string, first: Waiting<Request, Result>[]): Promise<void> {
    for (let batch = first; batch.length > 0; batch = this.waiting.get(kind)!.splice(0, MOST)) {
      await this.settle(batch);
    }
    this.waiting.delete(kind);
  }

  private async settle(batch: Waiting<Request, Result>[]): Promise<void> {
    try {
      const results = await this.send(batch.map(({ request }) => request));
      batch.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      if (batch.length === 1 || this.isShared(error)) for (const { reject } of batch) reject(error);
      // One of them is to blame: the others shall not suffer for it.
      else for (const one of batch) await this.settle([one]);
    }
  }
}
