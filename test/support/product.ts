import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setting, type TestDatabase } from './database.js';

/** 32 bytes that mean nothing. */
export const TEST_MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

/** A process of the product, started the way `npm start` starts it. */
export interface RunningProduct {
  /** Base URL without a path. */
  url: string;
  process: ChildProcess;
  /** Everything it has written so far. */
  output(): string;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface ProductOptions {
  database: TestDatabase;
  /** Where the provider answers, without `/v1`; unset leaves the product without a key. */
  providerUrl?: string;
  env?: Record<string, string>;
}

/** Starts the product and waits until it serves. @throws with its output when it ends instead. */
export async function startProduct({ database, providerUrl, env }: ProductOptions): Promise<RunningProduct> {
  const provider: Record<string, string> = providerUrl
    ? {
        OPENAI_API_KEY: 'sk-global-test',
        OPENAI_BASE_URL: `${providerUrl}/v1`,
        ANTHROPIC_API_KEY: 'sk-ant-global-test',
        ANTHROPIC_BASE_URL: providerUrl,
      }
    : {};
  return launch({
    DATABASE_URL: database.url,
    MASTER_KEY: TEST_MASTER_KEY,
    PORT: '0',
    DEMO: '0',
    LOG_LEVEL: 'warn',
    AI_SWEEP_INTERVAL_MS: '100',
    ...provider,
    ...deliveryOf(database),
    ...env,
  });
}

/** Redis, where the tests run under Bull; its keys are apart as the databases are. */
function deliveryOf({ name }: TestDatabase): Record<string, string> {
  if (process.env['DELIVERY'] !== 'bull') return {};
  return { REDIS_URL: setting('TEST_REDIS_URL'), REDIS_PREFIX: `{${name}}` };
}

/** Starts the product with exactly this environment on top of a clean one. */
export async function launch(env: Record<string, string>): Promise<RunningProduct> {
  const main = join(process.env['TEST_DIST'] ?? 'dist/current', 'src/main.js');
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /Fieldsmith runs at (\S+)/.exec(output);
      if (found?.[1]) resolve(found[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void ended.then((code) => reject(new ProductEnded(code, output)));
  });
  return {
    url,
    process: child,
    output: () => output,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The product ended instead of serving. */
export class ProductEnded extends Error {
  constructor(
    readonly code: number | null,
    readonly output: string,
  ) {
    super(`The product ended with code ${code}:\n${output}`);
  }
}
