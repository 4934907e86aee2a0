import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { setting } from './database.js';
import { fixedPort } from './fixed-port.js';

/** A Redis of a test's own, to be killed at will; it keeps nothing. */
export class RedisServer {
  private readonly folder = mkdtempSync(join(tmpdir(), 'fieldsmith-redis-'));
  private child: ChildProcess | undefined;

  private constructor(private readonly port: number) {}

  /** One that does not run yet. */
  static async reserve(): Promise<RedisServer> {
    return new RedisServer(await fixedPort());
  }

  static async started(): Promise<RedisServer> {
    const server = await RedisServer.reserve();
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, empty, and waits until it answers. */
  async start(): Promise<void> {
    const settings = { port: this.port, bind: '127.0.0.1', save: '', appendonly: 'no', dir: this.folder };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = spawn(setting('TEST_REDIS_SERVER'), args, { stdio: 'ignore' });
    await this.ask((redis) => redis.ping());
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  /** Stops it from answering without closing anything; `SIGCONT` lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(signal);
  }

  /** Runs commands on a connection of their own. */
  async ask<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
