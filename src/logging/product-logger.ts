import { Logger, PinoLogger } from 'nestjs-pino';
import type { Logger as Pino } from 'pino';

/** Contexts of the framework that tell at every start what never changes. */
const CHATTER = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * The log of the process, for the framework and for everything of ours that logs through `Logger` of `@nestjs/common`.
 *
 * What belongs to a request or a job (`request_id`; `job_id` and `tenant_id`) is passed with each line, not taken from an
 * ambient context: a timer that a request starts would carry that request for ever.
 */
export class ProductLogger extends Logger {
  constructor(logger: Pino) {
    super(new PinoLogger({ pinoHttp: { logger } }), {});
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (!CHATTER.has(rest.at(-1) as string)) super.log(message, ...rest);
  }

  /** The framework tells a port it cannot listen on before the start explains it. */
  override error(message: unknown, ...rest: unknown[]): void {
    if (rest.at(-1) !== 'NestApplication') super.error(message, ...rest);
  }
}
