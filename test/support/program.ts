import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { identify } from '../../src/embedded/process-identity.js';

/** A program that a test runs, whatever becomes of it. */
export interface Program {
  process: ChildProcess;
  /** Everything it has written so far, both streams as they came. */
  output(): string;
  /** Resolves when the output has the pattern. @throws with the output when the program ends without it. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** The exit code; null where a signal ended it. */
  ended: Promise<number | null>;
}

export interface ProgramOptions {
  env?: Record<string, string>;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** In a process group of its own, for a program that has children. */
  detached?: boolean;
}

/** Runs a program on a clean environment. */
export function runProgram(
  command: string,
  args: string[],
  { env, ...options }: ProgramOptions = {},
): Program {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(command, args, {
    ...options,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const listeners = new Set<() => void>();
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
    listeners.forEach((listener) => listener());
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code));
  });
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(output);
        if (found) resolve(found);
      };
      listeners.add(look);
      look();
      void ended.then((code) => reject(new Error(`It ended with ${code} and never said it:\n${output}`)));
    });
  return { process: child, output: () => output, said, ended };
}

/** Runs the product as `npm start` does, also where it is not to come up. */
export function runProduct(env: Record<string, string>, options: ProgramOptions = {}): Program {
  const main = join(process.env['TEST_DIST'] ?? 'dist/current', 'src/main.js');
  return runProgram(process.execPath, ['--enable-source-maps', main], { ...options, env });
}

/** Whether a process runs; one that has ended and that nobody has waited for does not. */
export function isRunning(pid: number): boolean {
  return identify(pid) !== undefined;
}
