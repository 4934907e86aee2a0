import { Inject, Injectable, Logger } from '@nestjs/common';
import type { QueueOptions } from 'bull';
import { Redis, type RedisOptions } from 'ioredis';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '../../processing.options.js';

type ClientType = Parameters<NonNullable<QueueOptions['createClient']>>[0];

/** Milliseconds after which a Redis that takes commands and answers none counts as away. */
const SILENCE_MS = 3_000;
/** Seconds for which an empty queue is waited on in one command. */
const BLOCK_SECONDS = 5;
/** Milliseconds between two attempts to connect, at most; short, because jobs wait meanwhile. */
const RECONNECT_MS = 1_000;
/** Hash tags keep the keys of one queue on one node of a cluster. */
export const DEFAULT_PREFIX = '{bull}';

/**
 * The connections of this process to Redis: one for commands, shared by all queues, and one for each queue that is waited
 * on. None is opened where no Redis is configured. Nothing is queued while Redis is away: whoever asks is refused at once,
 * and the jobs wait in Postgres. A connection that breaks is tried again for ever; both turns are logged, not each attempt.
 */
@Injectable()
export class RedisConnections {
  private readonly logger = new Logger('Redis');
  private readonly blocking = new Set<Redis>();
  private readonly listeners: (() => void)[] = [];
  private commands: Redis | undefined;
  private away = false;
  private closed = false;

  constructor(@Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions) {}

  /** Whether this process has a Redis at all. */
  get configured(): boolean {
    return this.options.redis !== undefined;
  }

  /** Whether commands are taken now. */
  get up(): boolean {
    return this.commands?.status === 'ready';
  }

  /** Calls the listener whenever Redis answers again after it was away; what it held may be lost. */
  onReturn(listener: () => void): void {
    this.listeners.push(listener);
  }

  /**
   * Asks Redis for a sign of life.
   *
   * @returns milliseconds the answer took; undefined where no Redis is configured.
   * @throws when it is away.
   */
  async ping(): Promise<number | undefined> {
    if (!this.configured) return undefined;
    const asked = performance.now();
    await this.client().ping();
    return performance.now() - asked;
  }

  /** What every queue is made with. Locks and checks for stalled jobs are not used: a hint is done when it is taken. */
  queueOptions(): QueueOptions & { skipVersionCheck: boolean } {
    return {
      prefix: this.options.redis?.prefix ?? DEFAULT_PREFIX,
      createClient: (type) => this.clientOf(type),
      settings: { drainDelay: BLOCK_SECONDS, stalledInterval: 0 },
      // The check would connect when the queue is made, also where nobody uses it.
      skipVersionCheck: true,
    };
  }

  /** Ends the waiting on queues at once. */
  stopBlocking(): void {
    for (const client of this.blocking) client.disconnect();
  }

  close(): void {
    this.closed = true;
    this.stopBlocking();
    this.commands?.disconnect();
  }

  /** The connection for commands; opens it the first time. */
  client(): Redis {
    this.commands ??= this.watched(this.connect({ enableReadyCheck: true, socketTimeout: SILENCE_MS }));
    return this.commands;
  }

  private clientOf(type: ClientType): Redis {
    if (type === 'client') return this.client();
    // Without a ready check, as Bull asks for on connections that wait.
    const client = this.connect({
      enableReadyCheck: false,
      socketTimeout: BLOCK_SECONDS * 1000 + SILENCE_MS,
    });
    // The connection for commands tells how things stand.
    client.on('error', () => undefined);
    this.blocking.add(client);
    return client;
  }

  private connect(options: RedisOptions): Redis {
    if (!this.options.redis) throw new Error('No Redis is configured.');
    return new Redis(this.options.redis.url, {
      // Nothing is queued, neither while there is no connection nor when it breaks with commands under way.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: SILENCE_MS,
      retryStrategy: (times) => Math.min(RECONNECT_MS, 50 * 2 ** Math.min(times, 5)),
      // A replica that was the primary a moment ago: connect again, to find the new one.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
      ...options,
    });
  }

  private watched(client: Redis): Redis {
    client.on('error', (error: Error) => this.went(error.message));
    client.on('close', () => this.went('the connection was closed'));
    client.on('ready', () => this.came());
    return client;
  }

  private went(reason: string): void {
    if (this.away || this.closed) return;
    this.away = true;
    this.logger.warn(`Redis is away (${reason}): jobs wait in Postgres until it is back.`);
  }

  private came(): void {
    if (!this.away) return;
    this.away = false;
    this.logger.log('Redis is back.');
    for (const listener of this.listeners) listener();
  }
}
