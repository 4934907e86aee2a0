import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { loggableError } from '#libs/common';
import { readConfig } from './config/read-config.js';
import { explain } from './explain.js';
import { Product } from './product.js';

/** What nobody caught: the state of the process is not known any more, so it ends, and leases and supervisor do the rest. */
function endOnUncaught(): void {
  process.on('uncaughtException', (error) => {
    new Logger('Process').fatal({ message: 'uncaught error, the process ends', err: loggableError(error) });
    process.exit(1);
  });
}

async function main(): Promise<void> {
  const product = new Product(readConfig(process.env));
  endOnUncaught();
  let stopping: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    process.stdout.write(`\n${signal}: finishing what is in flight.\n`);
    stopping ??= product.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${explain(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    await product.start();
  } catch (error) {
    if (stopping) return;
    process.stderr.write(`${explain(error)}\n`);
    await product.stop().catch(() => undefined);
    process.exit(1);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
});
