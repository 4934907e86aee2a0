import 'reflect-metadata';
import { FieldsmithError } from '#libs/common';
import { ConfigError } from './config/config.errors.js';
import { readConfig } from './config/read-config.js';
import { Product } from './product.js';

/** One line that says what to do; a stack only for what nobody foresaw. */
function explain(error: unknown): string {
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

async function main(): Promise<void> {
  const product = new Product(readConfig(process.env));
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
