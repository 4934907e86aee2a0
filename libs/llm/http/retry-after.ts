/** "At once" from who has just refused a call would be an endless row of calls. */
const SHORTEST_WAIT_MS = 1_000;
/** No provider pauses a key for longer than this, whatever it asks for. */
const LONGEST_WAIT_MS = 3_600_000;

/**
 * How long a provider asks to wait, from `retry-after-ms` (milliseconds) or else `retry-after` (seconds or an
 * HTTP date). A second to an hour; undefined where it does not ask or does not make sense, as a date that is past.
 *
 * @example retryAfterMs(new Headers({ 'retry-after': '2' }), Date.now()) // 2000
 */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const wait = decimal(headers.get('retry-after-ms'), 1) ?? fromRetryAfter(headers.get('retry-after'), now);
  return wait === undefined
    ? undefined
    : Math.min(Math.max(Math.ceil(wait), SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
}

function fromRetryAfter(text: string | null, now: number): number | undefined {
  const seconds = decimal(text, 1000);
  if (seconds !== undefined) return seconds;
  // Date.parse takes nearly anything for a date ("-5" is a year); an HTTP date always names its weekday.
  if (!text || !/^[a-z]{3,9},? /i.test(text.trim())) return undefined;
  const date = Date.parse(text);
  return date > now ? date - now : undefined;
}

function decimal(text: string | null, factor: number): number | undefined {
  return text !== null && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * factor : undefined;
}
