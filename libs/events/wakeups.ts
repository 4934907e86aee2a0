import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type pg from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import { briefError } from '#libs/common';

/** What a process can be woken for: new events to read, or jobs that became due. */
export type Topic = 'events' | 'jobs';

/** Ids of tenants by topic. */
interface Message extends Partial<Record<Topic, string[]>> {
  from: string;
}

const CHANNEL = 'fieldsmith';
/** Milliseconds that wake-ups are gathered before one NOTIFY carries them, and at least between two of those. */
const BATCH_MS = 3;
const BUSY_BATCH_MS = 20;
/** Ids in one message: NOTIFY carries less than 8,000 bytes, and a host's ids may be of any length. */
const BYTES_PER_MESSAGE = 7_800;
const TOPICS: readonly Topic[] = ['jobs', 'events'];
const RECONNECT_MS = 1_000;
/** A hint need not wait for the disk. */
const NOTIFY = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`;

/**
 * Tells this process and all others that a tenant has something new. A wake-up is a hint after a commit: it may be lost,
 * and whoever listens also looks by itself now and then. It is never sent inside a transaction, because NOTIFY
 * serialises commits.
 */
@Injectable()
export class Wakeups implements OnModuleInit, OnApplicationShutdown {
  private readonly id = randomUUID();
  private readonly local = new EventEmitter().setMaxListeners(0);
  private readonly waiting: Record<Topic, Set<string>> = { events: new Set(), jobs: new Set() };
  private readonly logger = new Logger(Wakeups.name);
  private timer: NodeJS.Timeout | undefined;
  private listener: QueryRunner | undefined;
  private closed = false;
  private flushedAt = 0;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  async onModuleInit(): Promise<void> {
    await this.listen();
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.listener?.release();
  }

  /** Wakes whoever listens for this tenant, here at once and in other processes a few milliseconds later. */
  wake(topic: Topic, tenantId: string): void {
    this.local.emit(topic, tenantId);
    this.waiting[topic].add(tenantId);
    if (this.timer) return;
    const sinceLast = performance.now() - this.flushedAt;
    this.timer = setTimeout(() => void this.flush(), Math.max(BATCH_MS, BUSY_BATCH_MS - sinceLast));
  }

  /** Calls the listener with the id of each tenant that is woken. @returns a function that ends it. */
  subscribe(topic: Topic, listener: (tenantId: string) => void): () => void {
    this.local.on(topic, listener);
    return () => this.local.off(topic, listener);
  }

  private async flush(): Promise<void> {
    this.timer = undefined;
    this.flushedAt = performance.now();
    if (this.closed) return;
    try {
      for (const message of this.take()) {
        await this.dataSource.query(NOTIFY, [CHANNEL, JSON.stringify(message)]);
      }
    } catch (error) {
      if (!this.closed)
        this.logger.warn(`Other processes were not woken, they look by themselves: ${briefError(error)}`);
    }
  }

  private take(): Message[] {
    const messages: Message[] = [];
    let room = 0;
    for (const topic of TOPICS) {
      for (const tenantId of this.waiting[topic]) {
        const bytes = Buffer.byteLength(JSON.stringify(tenantId)) + 1;
        if (bytes > room) {
          messages.push({ from: this.id });
          room = BYTES_PER_MESSAGE;
        }
        (messages.at(-1)![topic] ??= []).push(tenantId);
        room -= bytes;
      }
      this.waiting[topic].clear();
    }
    return messages;
  }

  private async listen(): Promise<void> {
    const runner = this.dataSource.createQueryRunner();
    try {
      const client = (await runner.connect()) as pg.PoolClient;
      client.on('notification', (notification) => this.receive(notification.payload));
      client.on('error', () => void this.listenAgain(runner));
      client.on('end', () => void this.listenAgain(runner));
      await client.query(`LISTEN ${CHANNEL}`);
      this.listener = runner;
    } catch (error) {
      await runner.release();
      throw error;
    }
  }

  private async listenAgain(lost: QueryRunner): Promise<void> {
    if (this.closed || this.listener !== lost) return;
    this.listener = undefined;
    await lost.release();
    while (!this.closed && !this.listener) {
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS).unref());
      await this.listen().catch((error: unknown) =>
        this.logger.warn(`No wake-ups from other processes: ${briefError(error)}`),
      );
    }
  }

  private receive(payload: string | undefined): void {
    if (!payload) return;
    const message = JSON.parse(payload) as Message;
    if (message.from === this.id) return;
    for (const topic of TOPICS) for (const tenantId of message[topic] ?? []) this.local.emit(topic, tenantId);
  }
}
