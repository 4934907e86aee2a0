/** The parts of an error that may be logged. */
export interface LoggableError {
  name: string;
  code?: string;
  message: string;
  stack?: string;
  cause?: LoggableError;
}

const MAX_CAUSES = 3;

/**
 * What may be logged of an error: never the fields that libraries hang on it. An error of the database carries the
 * statement with its parameters, which are values of records; an error of an HTTP client carries headers and bodies.
 */
export function loggableError(error: unknown, depth = 0): LoggableError {
  if (!(error instanceof Error)) return { name: 'unknown', message: typeof error };
  const { name, message, stack, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const inner = cause !== undefined && depth < MAX_CAUSES ? loggableError(cause, depth + 1) : undefined;
  return { name, message, ...(code ? { code } : {}), stack, ...(inner ? { cause: inner } : {}) };
}
