import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What the machine did from one moment to another. */
export interface CoreUse {
  /** Cores that worked, on average. */
  busy: number;
  /** Milliseconds that threads of all processes were ready to run and no core was free, one after another's added up. */
  waited_ms: number;
}

/** Watches the cores of the machine from now on, until it is asked: what is left of them bounds what a process can add. */
export function watchCores(): () => CoreUse {
  const [began, busyBefore, waitedBefore] = [performance.now(), busyMilliseconds(), waits()];
  return () => {
    let waited_ms = 0;
    for (const [thread, waited] of waits()) waited_ms += waited - (waitedBefore.get(thread) ?? 0);
    return { busy: (busyMilliseconds() - busyBefore) / (performance.now() - began), waited_ms };
  };
}

function busyMilliseconds(): number {
  return cpus()
    .map(({ times }) => times.user + times.nice + times.sys + times.irq)
    .reduce((sum, one) => sum + one, 0);
}

/** By thread, the milliseconds it has waited for a core; none where the kernel does not tell. */
function waits(): Map<string, number> {
  const found = new Map<string, number>();
  for (const process of read(() => readdirSync('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const thread of read(() => readdirSync(`/proc/${process}/task`))) {
      const [, waited] = read(() =>
        readFileSync(`/proc/${process}/task/${thread}/schedstat`, 'utf8').split(' '),
      );
      if (waited) found.set(thread, Number(waited) / 1e6);
    }
  }
  return found;
}

/** Nothing, where a process ended in the meantime. */
function read(from: () => string[]): string[] {
  try {
    return from();
  } catch {
    return [];
  }
}
