/** What a line of the log always has. */
interface LogLine {
  level: string;
  timestamp: string;
  message?: string;
  context?: string;
  err?: { name: string; message: string; stack?: string };
}

/** Keys that say the same in every line of a process. */
const SAME_EVERYWHERE = ['pid', 'hostname'];

/**
 * A line of the log for a person at a terminal.
 *
 * @example prettyLine('{"level":"info","timestamp":"2026-11-20T10:30:00.000Z","message":"job ended","job_id":"1"}')
 * // '10:30:00 INFO  job ended job_id=1\n'
 */
export function prettyLine(json: string): string {
  const { level, timestamp, message, context, err, ...rest } = JSON.parse(json) as LogLine;
  const head = `${timestamp.slice(11, 19)} ${level.toUpperCase().padEnd(5)}`;
  const fields = Object.entries(rest)
    .filter(([key]) => !SAME_EVERYWHERE.includes(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const words = [head, context && `[${context}]`, message ?? err?.message, ...fields].filter(Boolean);
  return `${words.join(' ')}\n${err?.stack ? `${err.stack}\n` : ''}`;
}
