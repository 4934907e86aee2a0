import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataDir } from './data-dir-lock.js';
import { identify } from './process-identity.js';

let dir: string;
let lockFile: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fieldsmith-lock-'));
  lockFile = join(dir, 'fieldsmith.lock');
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function deadProcess(): Promise<{ pid: number; startedAt: string }> {
  const child = spawn('sleep', ['60']);
  const identity = identify(child.pid ?? 0);
  if (!identity) throw new Error('sleep does not run');
  child.kill('SIGKILL');
  await once(child, 'exit');
  return identity;
}

describe('lockDataDir', () => {
  it('is held until it is released, and leaves nothing behind', async () => {
    const lock = await lockDataDir(dir);
    await expect(lockDataDir(dir)).rejects.toMatchObject({
      code: 'data_dir_in_use',
      message: `Another Fieldsmith (pid ${process.pid}) runs on ${dir}; stop it or set DATA_DIR to another folder.`,
    });
    lock.release();
    expect(readdirSync(dir)).toEqual([]);
    (await lockDataDir(dir)).release();
  });

  it('does not release the lock of a successor', async () => {
    const lock = await lockDataDir(dir);
    lock.release();
    writeFileSync(lockFile, 'of somebody else');
    lock.release();
    expect(readFileSync(lockFile, 'utf8')).toBe('of somebody else');
  });

  it.each([
    ['a dead process', async () => JSON.stringify(await deadProcess())],
    [
      'an earlier process with an id that is in use again',
      () => JSON.stringify({ pid: process.pid, startedAt: 'once' }),
    ],
    ['nobody, being empty after a crash of the machine', () => ''],
    ['nobody, being no object', () => 'null'],
    ['nobody, naming no process', () => '{}'],
  ])('replaces a lock of %s', async (_whose, content) => {
    writeFileSync(lockFile, await content());
    const lock = await lockDataDir(dir);
    expect(JSON.parse(readFileSync(lockFile, 'utf8'))).toEqual(identify(process.pid));
    lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('gives a stale lock to one of many that want it', async () => {
    writeFileSync(lockFile, JSON.stringify(await deadProcess()));
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(dir)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('gets past the guard of a process that died while replacing a lock', async () => {
    writeFileSync(lockFile, '');
    mkdirSync(`${lockFile}.guard`);
    utimesSync(`${lockFile}.guard`, new Date(), new Date(Date.now() - 60_000));
    (await lockDataDir(dir)).release();
    expect(readdirSync(dir)).toEqual([]);
  });
});
