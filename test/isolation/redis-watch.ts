import { Redis } from 'ioredis';
import { setting, type TestDatabase } from '../support/database.js';
import type { Finding } from './findings.js';
import type { Owners } from './owners.js';

/** Sees every command that a product sends to Redis, where it has one: what is kept there is what was sent. */
export class RedisWatch {
  private readonly commands: string[] = [];

  private constructor(
    private readonly redis: Redis,
    private readonly monitor: Redis,
    prefix: string,
  ) {
    monitor.on('monitor', (_time: string, args: string[]) => {
      const command = args.join(' ');
      if (command.includes(prefix)) this.commands.push(command);
    });
  }

  /** Undefined where nothing is delivered through Redis. */
  static async open({ name }: TestDatabase): Promise<RedisWatch | undefined> {
    if (process.env['DELIVERY'] !== 'bull') return undefined;
    const redis = new Redis(setting('TEST_REDIS_URL'));
    return new RedisWatch(redis, await redis.monitor(), name);
  }

  /** Commands that hold a tenant's words, or ids of more than one. */
  findings(owners: Owners): Finding[] {
    if (this.commands.length === 0) throw new Error('Nothing was sent to Redis.');
    return this.commands.flatMap((text) => {
      const mentioned = [...owners.of(text)].map(({ mark }) => mark);
      const isAstray = mentioned.length > 1 || mentioned.some((mark) => text.includes(mark));
      return isAstray ? [{ where: 'Redis', mentions: mentioned, text: text.slice(0, 600) }] : [];
    });
  }

  close(): void {
    this.monitor.disconnect();
    this.redis.disconnect();
  }
}
