import { jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { Api } from '../support/api.js';
import { makeDataFolder, type DataFolder } from '../support/data-folder.js';
import { runProduct, type Program } from '../support/program.js';

jest.setTimeout(120_000);

const NOBODY = { uid: 65_534, gid: 65_534 };
/** The user that Postgres is run as where root starts the product. */
const POSTGRES = 'postgres';

describe('the product with its own Postgres', () => {
  const isRoot = process.getuid?.() === 0;
  let folder: DataFolder;
  let program: Program;

  afterEach(async () => {
    program.process.kill('SIGTERM');
    await program.ended;
    await folder.remove();
  });

  async function serve(user?: { uid: number; gid: number }): Promise<string> {
    folder = makeDataFolder(user);
    const env = { DATA_DIR: folder.path, PORT: '0', DEMO: '0', HOME: folder.path };
    program = runProduct(env, { cwd: '/', ...user });
    return (await program.said(/Fieldsmith runs at (\S+)/))[1]!;
  }

  /** The numeric id that a process runs under. */
  function userOf(pid: number): number {
    return Number(execFileSync('ps', ['-o', 'uid=', '-p', String(pid)], { encoding: 'utf8' }));
  }

  it('runs as an ordinary user, Postgres as the same', async () => {
    const user = isRoot ? NOBODY : undefined;
    const url = await serve(user);
    const uid = user?.uid ?? process.getuid?.();
    expect(userOf(program.process.pid!)).toBe(uid);
    expect(userOf(folder.postgresPid()!)).toBe(uid);
    const api = await Api.register(url);
    expect((await api.post('/pipelines', { name: 'Leads' })).slug).toBe('leads');
  });

  it('runs as whoever runs the tests, Postgres never as root', async () => {
    const url = await serve();
    const expected = isRoot ? Number(execFileSync('id', ['-u', POSTGRES])) : process.getuid?.();
    expect(userOf(folder.postgresPid()!)).toBe(expected);
    const api = await Api.register(url);
    expect((await api.post('/pipelines', { name: 'Leads' })).slug).toBe('leads');
  });

  it('runs below a folder that is closed to everybody else, with nothing set', async () => {
    folder = makeDataFolder(undefined, 0o700);
    const cwd = dirname(folder.path);
    program = runProduct({ PORT: '0', DEMO: '0', HOME: cwd }, { cwd });
    const [, url] = await program.said(/Fieldsmith runs at (\S+)/);
    expect(userOf(folder.postgresPid()!)).not.toBe(0);
    const api = await Api.register(url!);
    expect((await api.post('/pipelines', { name: 'Leads' })).slug).toBe('leads');
  });
});
