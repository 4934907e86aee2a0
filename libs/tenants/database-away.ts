/** The server stops, starts or recovers; the connection broke or was refused. Class 08 and 57P0x of the SQLSTATEs. */
const CODES = /^(08...|57P0[1-3]|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;
/** What the driver says without a code, and TypeORM of a query runner whose connection broke under it. */
const WORDS = /^Connection terminated|not queryable$|^Connection ended|query runner was already released/;

/**
 * Whether an error says that the database cannot be reached now, however it is wrapped. Whether the statement it answers
 * was carried out is then not known.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('driverError' in error) return isDatabaseAway(error.driverError);
  if ('code' in error && typeof error.code === 'string') return CODES.test(error.code);
  return WORDS.test(error.message) || error.name.endsWith('AlreadyReleasedError');
}
