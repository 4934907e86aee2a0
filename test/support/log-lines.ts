/** A line of the product's log. */
export type LogLine = Record<string, unknown> & { level: string; message: string };

/** The lines of the log in what a process wrote; what it tells a person is left out. */
export function logLines(output: string): LogLine[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}
