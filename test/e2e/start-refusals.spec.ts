import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { makeDataFolder } from '../support/data-folder.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { startProduct, TEST_MASTER_KEY } from '../support/product.js';
import { runProduct } from '../support/program.js';

const STACK = /^\s+at /m;

describe('a start that cannot be', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(() => database.drop());

  /** What a start says that is to end with code 1. */
  async function refusal(env: Record<string, string>): Promise<string> {
    const ended = runProduct({
      DATABASE_URL: database.url,
      MASTER_KEY: TEST_MASTER_KEY,
      PORT: '0',
      DEMO: '0',
      LOG_LEVEL: 'warn',
      ...env,
    });
    expect(await ended.ended).toBe(1);
    expect(ended.output()).not.toMatch(STACK);
    return ended.output().trim();
  }

  it('names the port in use and what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      expect(await refusal({ PORT: String(port) })).toBe(
        `Port ${port} on 127.0.0.1 is in use: stop what listens there, or set PORT to another one (0 takes any).`,
      );
    } finally {
      server.close();
    }
  });

  it('names the variable of a default model that no provider serves', async () => {
    expect(await refusal({ AI_DEFAULT_MODEL: 'foo' })).toMatch(
      /AI_DEFAULT_MODEL is "foo": No provider is known/,
    );
  });

  it('but says what is missing where the default model has no key', async () => {
    const product = await startProduct({ database, env: { ANTHROPIC_API_KEY: 'sk-ant-test' } });
    const said = product.output();
    expect(said).toContain('No key of openai is set, which serves gpt-4o-mini');
    expect(said).toContain('set OPENAI_API_KEY, or AI_DEFAULT_MODEL to a model of a provider that has one.');
    await product.stop();
  });

  it('starts and writes nothing where the port is in use', async () => {
    const folder = makeDataFolder();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const said = await refusal({ DATABASE_URL: '', DATA_DIR: folder.path, PORT: String(port) });
      expect(said).toContain(`Port ${port} on 127.0.0.1 is in use`);
      expect(readdirSync(folder.path)).toEqual([]);
    } finally {
      server.close();
      await folder.remove();
    }
  });

  it('leaves a database as it is where the port is in use', async () => {
    const empty = await createDatabase({ template: false });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const said = await refusal({ DATABASE_URL: empty.url, PORT: String(port) });
      expect(said).toContain(`Port ${port} on 127.0.0.1 is in use`);
      const tables = await empty.sql(
        "SELECT FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
      );
      expect(tables).toEqual([]);
    } finally {
      server.close();
      await empty.drop();
    }
  });

  it.each(['192.0.2.1', 'no.such.host.invalid'])('names HOST where it is no address: %s', async (host) => {
    const said = await refusal({ HOST: host });
    expect(said.split('\n')).toHaveLength(1);
    expect(said).toContain(`HOST is "${host}", where this machine cannot listen`);
  });

  it('names the database that takes connections and never answers', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const said = await refusal({ DATABASE_URL: `postgres://someone:pa55word@127.0.0.1:${port}/x` });
      expect(said).toBe(
        `The database at 127.0.0.1:${port} cannot be used (it does not answer within 10 seconds): check that it runs, and DATABASE_URL.`,
      );
    } finally {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    }
  });

  it.each([
    ['nobody listens', 'postgres://someone:pa55word@127.0.0.1:1/nothing', '127.0.0.1:1'],
    ['the host has no name', 'postgres://someone:pa55word@no.such.host.invalid/x', 'no.such.host.invalid'],
  ])('names the database that cannot be reached, without its password: %s', async (_, url, host) => {
    const said = await refusal({ DATABASE_URL: url });
    expect(said.split('\n')).toHaveLength(1);
    expect(said).toContain(`The database at ${host} cannot be used`);
    expect(said).toContain('check that it runs, and DATABASE_URL.');
    expect(said).not.toContain('pa55word');
  });

  it('says so where user or database is wrong', async () => {
    const wrong = new URL(database.url);
    wrong.password = 'pa55word';
    expect(await refusal({ DATABASE_URL: wrong.href })).toMatch(
      /password authentication failed.*DATABASE_URL\.$/,
    );
    const missing = new URL(database.url);
    missing.pathname = '/not_there';
    expect(await refusal({ DATABASE_URL: missing.href })).toMatch(
      /"not_there" does not exist.*DATABASE_URL\.$/,
    );
  });

  it('names the variable that is wrong, and the remedy', async () => {
    const said = await refusal({ PORT: 'web' });
    expect(said.split('\n').map((each) => each.trim())).toEqual([
      'The environment is not valid:',
      'PORT is "web" but must be a whole number from 0 to 65535; unset it for 3000.',
    ]);
  });

  it('tells all of them at once, each on its line, and no secret', async () => {
    const said = await refusal({
      DATABASE_URL: 'localhost:5432/pa55word',
      MASTER_KEY: 'pa55word',
      ROLE: 'worker',
      AI_MAX_RETRIES: 'many',
    });
    expect(said.split('\n').map((each) => each.trim())).toEqual([
      'The environment is not valid:',
      'DATABASE_URL must be a complete URL such as postgres://user:password@host:5432/fieldsmith.',
      'MASTER_KEY must be 32 bytes in base64; make one with: openssl rand -base64 32.',
      'AI_MAX_RETRIES is "many" but must be a whole number from 0 to 20; unset it for 3.',
      'ROLE is "worker" but needs REDIS_URL, which the processes share; or set ROLE=all.',
    ]);
    expect(said).not.toContain('pa55word');
  });
});
