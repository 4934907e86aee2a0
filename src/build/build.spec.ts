import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from './build-tree.mjs';

const PROJECT = process.cwd();
const SWCRC = readFileSync(join(PROJECT, '.swcrc'), 'utf8');
let root: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function builds(): string[] {
  return readdirSync(join(root, 'dist')).filter((name) => name !== 'current');
}

/** Runs a program of the tree; its output, and its exit code. */
function run(script: string, ...nodeOptions: string[]): Promise<{ output: string; code: number }> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...nodeOptions, join(root, script)],
      { env },
      (_error, out, err) => {
        resolve({ output: out + err, code: child.exitCode ?? -1 });
      },
    );
  });
}

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'fieldsmith-build-')));
  write('.swcrc', SWCRC);
  write('package.json', '{"type":"module","imports":{"#libs/*":"./libs/*/index.ts"}}');
  write('libs/greeting/index.ts', "export { greet } from './greet.js';\n");
  write('libs/greeting/greet.ts', 'export const greet = (name: string): string => `Hello ${name}`;\n');
  write('libs/greeting/greet.spec.ts', 'a spec is never compiled');
  write('libs/greeting/README.md', 'not copied');
  write('src/names.json', '["world"]');
  write(
    'src/main.ts',
    `import { greet } from '#libs/greeting';
import names from './names.json' with { type: 'json' };
process.stdout.write(greet(names[0] as string));
`,
  );
  write('migrations/1-first.sql', 'select 1');
  write('test/bench/results.json', '{}');
  write('test/bench/main.ts', 'export const bench = true;');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('build', () => {
  it('makes a build that runs, with its assets and without specs', async () => {
    const { dir, built } = await build({ root });
    expect(built).toBe(true);
    expect(realpathSync(join(root, 'dist/current'))).toBe(dir);
    expect(await run('dist/current/src/main.js')).toEqual({ output: 'Hello world', code: 0 });
    expect(read('dist/current/migrations/1-first.sql')).toBe('select 1');
    expect(existsSync(join(dir, 'test/bench/main.js'))).toBe(true);
    for (const absent of [
      'libs/greeting/greet.spec.js',
      'libs/greeting/README.md',
      'test/bench/results.json',
    ]) {
      expect(existsSync(join(dir, absent))).toBe(false);
    }
  });

  it('leads a stack trace back to the source', async () => {
    write('src/main.ts', 'interface Unused {\n  a: 1;\n}\nthrow new Error("here" satisfies string);\n');
    await build({ root });
    const { output } = await run('dist/current/src/main.js', '--enable-source-maps');
    expect(output).toContain(`${join(root, 'src/main.ts')}:4`);
  });

  it('does nothing when nothing changed, and returns to an earlier build without compiling', async () => {
    const first = await build({ root });
    expect(await build({ root })).toEqual({ dir: first.dir, built: false });
    const content = read('src/main.ts');
    write('src/main.ts', `${content}// more\n`);
    const second = await build({ root });
    expect(second.built).toBe(true);
    write('src/main.ts', content);
    expect(await build({ root })).toEqual({ dir: first.dir, built: false });
    expect(realpathSync(join(root, 'dist/current'))).toBe(first.dir);
  });

  it.each(['package.json', 'package-lock.json', '.swcrc', 'src/names.json'])(
    'is stale after %s changed',
    async (path) => {
      await build({ root });
      write(
        path,
        path === 'src/names.json' ? '["you"]' : `${existsSync(join(root, path)) ? read(path) : '{}'} `,
      );
      expect((await build({ root })).built).toBe(true);
    },
  );

  it('is fresh after a spec or a result of the bench changed', async () => {
    await build({ root });
    write('libs/greeting/greet.spec.ts', 'changed');
    write('test/bench/results.json', '{"changed":true}');
    expect((await build({ root })).built).toBe(false);
  });

  it('lets any number of builds run at once', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => build({ root })));
    expect(results.filter(({ built }) => built)).toHaveLength(1);
    expect(builds()).toHaveLength(1);
    expect((await run('dist/current/src/main.js')).output).toBe('Hello world');
  });

  it('names every fault with file and line, and leaves the previous build alone', async () => {
    const { dir } = await build({ root });
    write('src/main.ts', 'const fine = 1;\nlet broken = = 2;\n');
    write('src/other.ts', 'export const x: = 1;\n');
    const failure = build({ root });
    await expect(failure).rejects.toThrow(/^src\/main\.ts:2: Expression expected/);
    await expect(failure).rejects.toThrow(/^src\/other\.ts:1: /m);
    expect(realpathSync(join(root, 'dist/current'))).toBe(dir);
    expect(builds()).toHaveLength(1);
  });

  it('keeps the newest three builds and every one younger than an hour', async () => {
    const dirs: string[] = [];
    for (let version = 0; version < 6; version++) {
      write('src/version.ts', `export const version = ${version};\n`);
      dirs.push((await build({ root })).dir);
    }
    expect(builds()).toHaveLength(6);
    mkdirSync(join(root, 'dist/.tmp-1-left-behind'));
    const old = [...dirs.slice(0, 5), join(root, 'dist/.tmp-1-left-behind')];
    old.forEach((dir, i) => utimesSync(dir, new Date(), new Date(Date.now() - (100 - i) * 3_600_000)));
    write('src/version.ts', 'export const version = 6;\n');
    dirs.push((await build({ root })).dir);
    expect(
      builds()
        .map((name) => join(root, 'dist', name))
        .sort(),
    ).toEqual(dirs.slice(4).sort());
  });

  it('says what is missing without .swcrc', async () => {
    rmSync(join(root, '.swcrc'));
    await expect(build({ root })).rejects.toThrow(/\.swcrc is missing/);
  });
});

describe('build.mjs', () => {
  beforeEach(() => {
    cpSync(join(PROJECT, 'src/build'), join(root, 'src/build'), { recursive: true });
    symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  });

  it('says how long it took, only when it built', async () => {
    const first = await run('src/build/build.mjs');
    expect(first).toEqual({ output: expect.stringMatching(/^Built in \d+\.\d s\.\n$/), code: 0 });
    expect(await run('src/build/build.mjs')).toEqual({ output: '', code: 0 });
  });

  it('ends with code 1 on a syntax error', async () => {
    write('src/main.ts', 'let = ;');
    const { output, code } = await run('src/build/build.mjs');
    expect(output).toMatch(/^src\/main\.ts:1: /);
    expect(code).toBe(1);
  });
});
