import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { DELIVERY, type Delivery } from '#libs/processing';
import type { Config } from '../config/read-config.js';
import { MIGRATIONS } from '../database/migrations.js';

/** One thing that must work before this process can serve. */
export interface ReadinessCheck {
  name: string;
  /** @throws an error whose message is written for the operator: it names what is missing and the remedy. */
  check(): Promise<void>;
}

/** Nest token of the role of this process. */
export const ROLE = Symbol('ROLE');

/** What the process needs to serve. Another check is one more entry of the list. */
@Injectable()
export class Readiness implements OnModuleDestroy {
  private draining = false;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(DELIVERY) private readonly delivery: Delivery,
    @Inject(ROLE) private readonly role: Config['role'],
  ) {}

  checks(): ReadinessCheck[] {
    // Requests never wait on Redis, so that only a process that does nothing else is unready without it.
    const delivery = this.role === 'worker' ? this.delivery : undefined;
    return [
      { name: 'accepting', check: () => this.checkAccepting() },
      {
        name: 'postgres',
        check: async () => void (await answers('The database', this.dataSource.query('SELECT 1'))),
      },
      { name: 'migrations', check: () => this.checkMigrations() },
      ...(delivery?.ping ? [{ name: 'redis', check: () => answers('Redis', delivery.ping!()) }] : []),
    ];
  }

  /** The first of all hooks of a shutdown: load balancers look elsewhere while calls in flight end. */
  onModuleDestroy(): void {
    this.draining = true;
  }

  private checkAccepting(): Promise<void> {
    if (!this.draining) return Promise.resolve();
    return Promise.reject(new Error('This process finishes what is in flight and takes nothing new.'));
  }

  private async checkMigrations(): Promise<void> {
    const rows = await answers(
      'The database',
      this.dataSource.query<{ name: string }[]>('SELECT host_migrations_run() AS name'),
    );
    const run = new Set(rows.map(({ name }) => name));
    const missing = MIGRATIONS.map((migration) => new migration().name!).filter((name) => !run.has(name));
    if (missing.length === 0) return;
    throw new Error(
      `The database lacks ${missing.length} migrations (${missing[0]} …): start a process anew.`,
    );
  }
}

/** Whatever a driver says of itself (hosts, users, versions) is not for everybody. */
async function answers<T>(what: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    throw new Error(`${what} does not answer.`, { cause });
  }
}
