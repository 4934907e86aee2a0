import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROJECT = process.cwd();
let root: string;
let dev: ChildProcess;
let output: string;

/** A server that says its version and process id, and takes its leave on SIGTERM. */
function writeServer(version: number): void {
  const source = `const timer = setInterval(() => undefined, 1000);
process.once('SIGTERM', () => { process.stdout.write('drained ${version}\\n'); clearInterval(timer); });
process.stdout.write('version ${version} as ' + process.pid + '\\n');
`;
  writeFileSync(join(root, 'src/main.ts'), source);
}

async function outputMatches(pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const match = pattern.exec(output);
    if (match) return match;
    await once(dev, 'output');
  }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fieldsmith-dev-'));
  for (const path of ['.swcrc', 'package.json', 'src/build']) {
    cpSync(join(PROJECT, path), join(root, path), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  writeServer(1);
  output = '';
  dev = spawn(process.execPath, [join(root, 'src/build/dev.mjs')], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [dev.stdout, dev.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      dev.emit('output');
    });
  }
});

afterEach(async () => {
  if (dev.exitCode === null && dev.signalCode === null) {
    const exit = once(dev, 'exit');
    dev.kill('SIGINT');
    await exit;
  }
  rmSync(root, { recursive: true, force: true });
});

it('restarts the server on a change, keeps it on a fault, and stops it on Ctrl-C', async () => {
  await outputMatches(/version 1 as \d+/);
  writeServer(2);
  await outputMatches(/drained 1[^]*Restarting[^]*version 2/);

  writeFileSync(join(root, 'src/fault.ts'), 'let = ;');
  await outputMatches(/src\/fault\.ts:1:[^]*The previous one keeps running/);
  expect(output).not.toContain('drained 2');

  rmSync(join(root, 'src/fault.ts'));
  writeServer(3);
  const [, pid] = await outputMatches(/drained 2[^]*version 3 as (\d+)/);

  const exit = once(dev, 'exit');
  dev.kill('SIGINT');
  expect(await exit).toEqual([0, null]);
  expect(output).toContain('drained 3');
  expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
}, 20_000);
