/** The parts of an error that may be logged. */
export interface LoggableError {
  name: string;
  code?: string;
  message: string;
  stack?: string;
  cause?: LoggableError;
}

const MAX_CAUSES = 3;
/** Errors of the database about data: their messages quote what could not be read. */
const DATA_EXCEPTION = /^22/;
const QUOTED = /"(?:[^"\\]|\\.)*"?/g;

/**
 * What may be logged of an error: never the fields that libraries hang on it. An error of the database carries the
 * statement with its parameters, which are values of records; an error of an HTTP client carries headers and bodies.
 * What a parser quotes of its input is left out of the message too.
 */
export function loggableError(error: unknown, depth = 0): LoggableError {
  if (!(error instanceof Error)) return { name: 'unknown', message: typeof error };
  const { name, cause } = error;
  const code = codeOf(error);
  const inner = cause !== undefined && depth < MAX_CAUSES ? loggableError(cause, depth + 1) : undefined;
  const message = messageOf(error);
  const stack = stackOf(error, message);
  return { name, message, ...(code ? { code } : {}), stack, ...(inner ? { cause: inner } : {}) };
}

/** The same in a few words, for a line that is about something else: `QueryFailedError: connection terminated`. */
export function briefError(error: unknown): string {
  const { name, message } = loggableError(error, MAX_CAUSES);
  return `${name}: ${message}`;
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function messageOf(error: Error): string {
  return quotesInput(error) ? error.message.replace(QUOTED, '"…"') : error.message;
}

/** A stack begins with the message, as it was when the error was made. */
function stackOf({ name, stack }: Error, message: string): string | undefined {
  const frames = stack?.search(/^ {1,8}at /m) ?? -1;
  return frames < 0 ? undefined : `${name}: ${message}\n${stack!.slice(frames)}`;
}

function quotesInput(error: Error): boolean {
  return error instanceof SyntaxError || DATA_EXCEPTION.test(codeOf(error) ?? '');
}
