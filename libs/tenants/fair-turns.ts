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
  private total = 0;

  /**
   * @param places of all tenants, at least 1.
   * @param share places of one tenant at most, at least 1.
   */
  constructor(
    private readonly places: number,
    private readonly share: number,
  ) {}

  /** Runs the work when it is its turn. */
  async run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    if (!this.admits(tenantId)) await this.turnOf(tenantId);
    else this.enter(tenantId);
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
    });
  }

  private admits(tenantId: string): boolean {
    return this.total < this.places && (this.running.get(tenantId) ?? 0) < this.share;
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
    this.callNext();
  }

  private callNext(): void {
    for (const [tenantId, queue] of this.waiting) {
      if (!this.admits(tenantId)) continue;
      const next = queue.shift()!;
      // Behind all others, if there is more of it.
      this.waiting.delete(tenantId);
      if (queue.length > 0) this.waiting.set(tenantId, queue);
      this.enter(tenantId);
      return next();
    }
  }
}
