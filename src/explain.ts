import { FieldsmithError } from '#libs/common';
import { ConfigError } from './config/config.errors.js';

/** One line that says what to do; a stack only for what nobody foresaw. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof FieldsmithError) return error.message;
  const { code, address, port, message } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${address} is in use: stop what listens there, or set PORT to another one (0 takes any).`;
  }
  if (code === 'EACCES' && port)
    return `Port ${port} needs more rights than this user has: set PORT to one above 1023.`;
  return error instanceof Error ? (error.stack ?? message) : String(error);
}
