/** Milliseconds for which a tenant counts as one that works beside the others after its last piece of work. */
const COMPANY_MS = 1_000;

export interface FairTurnsOptions {
  /**
   * Whether tenants that work at the same time, fewer than there are places, divide one share between them, at least a place
   * each; false unless told.
   */
  divided?: boolean;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/**
 * Lets so many pieces of work run at once, and those that wait take turns by tenant: whoever has a thousand of them delays
 * another tenant's one by no more than one turn. No tenant has more than its share, even where places stay empty.
 *
 * @example
 * const turns = new FairTurns(8, 3);
 * await turns.run(tenantId, () => save(record));
 */
export class FairTurns {
  private readonly running = new Map<string, number>();
  /** Tenants in the order of their next turn, each with those that wait, the first in front. */
  private readonly waiting = new Map<string, (() => void)[]>();
  /** When tenants last began or ended a piece of work, the latest last. */
  private readonly company = new Map<string, number>();
  private readonly divided: boolean;
  private readonly now: () => number;
  private total = 0;
  /** Until the company of those that wait has gone. */
  private timer?: NodeJS.Timeout;

  /**
   * @param places of all tenants, at least 1.
   * @param share places of one tenant at most, at least 1.
   */
  constructor(
    private readonly places: number,
    private readonly share: number,
    { divided = false, now = () => performance.now() }: FairTurnsOptions = {},
  ) {
    this.divided = divided;
    this.now = now;
  }

  /** Runs the work when it is its turn. */
  async run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    this.meet(tenantId);
    if (!this.waiting.has(tenantId) && this.admits(tenantId)) this.enter(tenantId);
    else await this.turnOf(tenantId);
    try {
      return await work();
    } finally {
      this.leave(tenantId);
    }
  }

  /** Resolves with the place taken already, so that nobody slips in between. */
  private turnOf(tenantId: string): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.waiting.get(tenantId);
      if (queue) queue.push(resolve);
      else this.waiting.set(tenantId, [resolve]);
      this.callWaiting();
      this.lookAgain();
    });
  }

  private admits(tenantId: string): boolean {
    return this.total < this.places && (this.running.get(tenantId) ?? 0) < this.shareOfEach();
  }

  private shareOfEach(): number {
    // As many tenants as places keep each other small by taking turns.
    if (!this.divided || this.company.size >= this.places) return this.share;
    return Math.max(1, Math.floor(this.share / Math.max(1, this.company.size)));
  }

  private meet(tenantId: string): void {
    if (!this.divided) return;
    const now = this.now();
    this.company.delete(tenantId);
    this.company.set(tenantId, now);
    this.part(now);
  }

  /** Whoever has not worked for long is no company any more. */
  private part(now: number): void {
    for (const [tenantId, last] of this.company) {
      if (now - last < COMPANY_MS) return;
      this.company.delete(tenantId);
    }
  }

  /** Where company goes while nothing begins or ends, nobody else would call those whose share grows by it. */
  private lookAgain(): void {
    const [oldest] = this.company.values();
    if (this.timer || this.waiting.size === 0 || oldest === undefined) return;
    const look = (): void => {
      this.timer = undefined;
      this.part(this.now());
      this.callWaiting();
      this.lookAgain();
    };
    this.timer = setTimeout(look, Math.max(1, oldest + COMPANY_MS - this.now())).unref();
  }

  private enter(tenantId: string): void {
    this.total += 1;
    this.running.set(tenantId, (this.running.get(tenantId) ?? 0) + 1);
  }

  private leave(tenantId: string): void {
    this.total -= 1;
    const left = this.running.get(tenantId)! - 1;
    if (left > 0) this.running.set(tenantId, left);
    else this.running.delete(tenantId);
    this.meet(tenantId);
    this.callWaiting();
  }

  /** More than one may follow one that leaves: where company has gone, the share of those who stay has grown. */
  private callWaiting(): void {
    while (this.callNext());
  }

  private callNext(): boolean {
    for (const [tenantId, queue] of this.waiting) {
      if (!this.admits(tenantId)) continue;
      const next = queue.shift()!;
      // Behind all others, if there is more of it.
      this.waiting.delete(tenantId);
      if (queue.length > 0) this.waiting.set(tenantId, queue);
      this.enter(tenantId);
      next();
      return true;
    }
    return false;
  }
}
