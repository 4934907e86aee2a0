import { setMaxListeners } from 'node:events';

/** setTimeout takes no more: about 24.8 days. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** The time one call may take, and why it was ended early. */
export interface Deadline {
  /** Aborted when the time is up or the caller's own signal is. */
  readonly signal: AbortSignal;
  /** What ended the call; undefined while nothing has. */
  readonly endedBy: 'timeout' | 'abort' | undefined;
  /** Frees the timer and the caller's signal; call it in a `finally`. */
  close(): void;
}

/**
 * Starts the clock of one call.
 *
 * `AbortSignal.any` and the SDKs leave a listener on the caller's signal for ever; a worker's shutdown signal
 * lives as long as the process, so the listener here is taken off again.
 *
 * @throws RangeError when `timeoutMs` is not a positive number.
 */
export function openDeadline(timeoutMs: number, outer?: AbortSignal): Deadline {
  if (!(timeoutMs > 0)) throw new RangeError('timeoutMs must be a positive number of milliseconds');
  const controller = new AbortController();
  let endedBy: Deadline['endedBy'];
  const end = (reason: 'timeout' | 'abort') => {
    endedBy ??= reason;
    controller.abort();
  };
  const onAbort = () => end('abort');
  const timer = setTimeout(end, Math.min(timeoutMs, LONGEST_TIMER_MS), 'timeout');
  if (outer) listen(outer, onAbort);
  if (outer?.aborted) end('abort');
  return {
    signal: controller.signal,
    get endedBy() {
      return endedBy;
    },
    close() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onAbort);
    },
  };
}

/** As many calls as are in flight listen to one signal: that is no leak for Node to warn of. */
function listen(outer: AbortSignal, onAbort: () => void): void {
  setMaxListeners(0, outer);
  outer.addEventListener('abort', onAbort, { once: true });
}
