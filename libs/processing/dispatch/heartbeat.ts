import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { briefError } from '#libs/common';

/** A worker as the list of workers shows it. */
export interface BeatingWorker {
  id: string;
  /** Jobs that it works on at once. */
  slots: number;
  /** Jobs that it works on now. */
  busy(): number;
}

const BEAT_MS = 5_000;
/** After three missed beats a worker counts as dead. */
export const SILENT_MS = 3 * BEAT_MS;

/** Keeps a worker on the list of those alive. */
@Injectable()
export class Heartbeat {
  private readonly logger = new Logger(Heartbeat.name);
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private worker: BeatingWorker | undefined;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  start(worker: BeatingWorker): void {
    this.worker = worker;
    const beat = (): void => {
      this.beating ??= this.beat(worker).finally(() => (this.beating = undefined));
    };
    this.timer = setInterval(beat, BEAT_MS);
    beat();
  }

  /** The worker has stopped: it is not waited for. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.beating;
    if (!this.worker) return;
    await this.tell('SELECT ai_worker_gone($1)', [this.worker.id]);
  }

  private beat({ id, slots, busy }: BeatingWorker): Promise<void> {
    return this.tell('SELECT ai_worker_beat($1, $2, $3)', [id, slots, busy()]);
  }

  private async tell(sql: string, values: unknown[]): Promise<void> {
    try {
      await this.dataSource.query(sql, values);
    } catch (error) {
      this.logger.warn(`The list of workers was not told, jobs go on: ${briefError(error)}`);
    }
  }
}
