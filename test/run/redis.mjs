import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { delimiter, join } from 'node:path';

const SERVERS = ['redis-server', 'valkey-server'];
const HOW = `The tests need Redis: install redis-server or valkey-server (apt-get install redis-server, brew install redis).`;

/**
 * The Redis server that is installed; on Debian, as root, it is installed if there is none.
 *
 * @returns {string} its path
 * @throws with one line that says how to get one.
 */
export function redisServerOrStop() {
  const server = onPath() ?? (installed() ? onPath() : undefined);
  if (!server) throw new Error(HOW);
  return server;
}

/**
 * Starts a Redis of the tests' own on a free port, which keeps nothing.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startRedis(server, dir) {
  const port = await freePort();
  const folder = mkdtempSync(join(dir, 'redis-'));
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(server, args.map(String), { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const failed = new Promise((_, reject) => child.on('error', reject));
  await Promise.race([answers(port, child), failed]);
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function onPath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return SERVERS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function installed() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false;
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const aptGet = (...args) => spawnSync('apt-get', args, options).status === 0;
  console.log('Installing redis-server for the tests.');
  const install = () => aptGet('install', '-y', '--no-install-recommends', 'redis-server');
  return install() || (aptGet('update') && install());
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when the server takes connections. */
async function answers(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with code ${child.exitCode}.`);
    if (await takesConnection(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function takesConnection(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
