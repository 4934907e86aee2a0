import { pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../config/read-config.js';
import { prettyLine } from './pretty-line.js';
import { scrub, scrubLine } from './scrub.js';

/**
 * A logger that writes one JSON object a line, with `level`, `timestamp` and `message`, and with nothing secret in it.
 *
 * @param destination default: standard output; at a terminal, lines for reading.
 */
export function makePino(level: LogLevel, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level,
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      // What is logged of an error is chosen before it gets here.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method) {
          const [fields, ...rest] = args as unknown as [unknown, ...unknown[]];
          method.apply(this, [scrub(fields), ...rest] as unknown as typeof args);
        },
        streamWrite: scrubLine,
      },
    },
    destination,
  );
}

/** Standard error, for commands whose result goes to standard output. */
export function standardError(): DestinationStream {
  return pino.destination({ dest: 2, sync: true });
}

function standardOutput(): DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true });
  return { write: (line) => void process.stdout.write(prettyLine(line)) };
}
