/** Requests that wait until a test lets them go, oldest first. */
export class HoldGate {
  private waiting: (() => void)[] = [];

  /** Resolves when released, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.waiting = this.waiting.filter((other) => other !== go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      this.waiting.push(go);
      signal.addEventListener('abort', go);
    });
  }

  /** Lets the oldest `count` requests go (default: all) and says how many there were. */
  release(count = Infinity): number {
    const released = this.waiting.slice(0, count);
    for (const go of released) go();
    return released.length;
  }

  get size(): number {
    return this.waiting.length;
  }
}
