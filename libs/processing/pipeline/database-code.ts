/** The SQLSTATE of a database error, however it is wrapped; undefined for any other error. */
export function databaseCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('driverError' in error) return databaseCode(error.driverError);
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
