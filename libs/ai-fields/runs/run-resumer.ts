import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { loggableError, newId } from '#libs/common';
import { PROCESSING_OPTIONS, type ProcessingOptions } from '#libs/processing';
import { RunFiller } from './run-filler.js';

interface Taken {
  tenant_id: string;
  id: string;
}

/** Goes on with runs whose process died while it queued; runs in worker processes. */
@Injectable()
export class RunResumer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RunResumer.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(PROCESSING_OPTIONS) private readonly options: ProcessingOptions,
    private readonly filler: RunFiller,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.options.worker) return;
    this.timer = setInterval(() => {
      this.running ??= this.resumeAll().finally(() => (this.running = undefined));
    }, this.options.sweepIntervalMs);
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async resumeAll(): Promise<void> {
    try {
      while (!this.filler.isClosing && (await this.resumeOne()));
    } catch (error) {
      this.logger.error({
        message: 'a run could not be resumed, it is tried again',
        err: loggableError(error),
      });
    }
  }

  /** @returns whether there was one. */
  private async resumeOne(): Promise<boolean> {
    const owner = newId();
    const taken = await this.dataSource.query<Taken[]>('SELECT * FROM ai_take_run($1, $2)', [
      owner,
      this.options.leaseMs,
    ]);
    const [run] = taken;
    if (!run) return false;
    this.logger.warn({ message: 'a run was left half queued', run_id: run.id, tenant_id: run.tenant_id });
    await this.filler.fill({ tenantId: run.tenant_id, id: run.id, owner });
    return true;
  }
}
