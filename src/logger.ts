import { ConsoleLogger, type LogLevel as NestLogLevel } from '@nestjs/common';
import type { LogLevel } from './config/read-config.js';

/** Contexts of the framework that tell at every start what never changes. */
const CHATTER = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);
const LEVELS: NestLogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug'];
const NEST_LEVEL: Record<LogLevel, NestLogLevel> = {
  fatal: 'fatal',
  error: 'error',
  warn: 'warn',
  info: 'log',
  debug: 'debug',
};

/** The log of the process: what the product says, and of the framework only what went wrong. */
export class ProductLogger extends ConsoleLogger {
  constructor(level: LogLevel) {
    const levels = LEVELS.slice(0, LEVELS.indexOf(NEST_LEVEL[level]) + 1);
    super({ prefix: 'Fieldsmith', colors: process.stdout.isTTY ?? false, logLevels: levels });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (!CHATTER.has(rest.at(-1) as string)) super.log(message, ...(rest as [unknown]));
  }

  /** The framework tells a port it cannot listen on before the start explains it. */
  override error(message: unknown, ...rest: unknown[]): void {
    if (rest.at(-1) !== 'NestApplication') super.error(message, ...(rest as [unknown]));
  }
}
