import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Milliseconds that what the tests have started has to end by itself once it was told to. */
const END_MS = 10_000;

/**
 * Runs Jest once, in a process group of its own: with it ends whatever its tests have started.
 *
 * @param options.onStart is given a function that ends the run early
 *
 * @returns {Promise<{ code: number, passed: number, failed: number, skipped: number }>} `code` is not 0 unless all passed
 */
export async function runJest({ root, args, env, output, onStart }) {
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const config = join(root, 'test/jest.config.js');
  const node = [
    process.env.NODE_OPTIONS,
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
  ];
  const child = spawn(process.execPath, [jest, '-c', config, '--json', `--outputFile=${output}`, ...args], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env, NODE_OPTIONS: node.filter(Boolean).join(' ') },
  });
  onStart(() => endGroup(child.pid));
  const code = await new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  return { ...countsOf(output), code };
}

async function endGroup(pid) {
  signalGroup(pid, 'SIGTERM');
  const late = Date.now() + END_MS;
  while (Date.now() < late && signalGroup(pid, 0)) await wait(100);
  signalGroup(pid, 'SIGKILL');
}

/** False where nobody is left. */
function signalGroup(pid, signal) {
  try {
    return process.kill(-pid, signal);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}

function countsOf(output) {
  const result = JSON.parse(readFileSync(output, 'utf8'));
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
