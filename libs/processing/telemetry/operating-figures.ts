import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { briefError } from '#libs/common';
import { SILENT_MS } from '../dispatch/heartbeat.js';

/** What the database knows of the work of the whole installation, without naming a tenant. */
export interface OperatingFigures {
  /** `oldest`: seconds that the job which is due longest has waited. */
  lanes: { lane: number; pending: number; processing: number; oldest: number }[];
  holds: { in_flight?: number; to_settle?: number };
  workers: { alive: number; slots: number; busy: number };
  /** `age`: seconds since the last run that completed. */
  maintenance: { name: string; failed: boolean; age: number | null }[];
}

/** However often it is scraped, the database is asked this seldom … */
const FRESH_MS = 5_000;
/** … and for at most a twentieth of the time: counting a backlog of millions takes longer. */
const SHARE = 20;

/** The figures as they were a few seconds ago. */
@Injectable()
export class RecentFigures {
  private readonly logger = new Logger(RecentFigures.name);
  private asked: Promise<OperatingFigures | undefined> | undefined;
  private freshUntil = 0;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** @returns undefined where the database does not answer. */
  read(): Promise<OperatingFigures | undefined> {
    if (!this.asked || performance.now() >= this.freshUntil) {
      // Whoever asks while this is under way gets the same answer.
      this.freshUntil = Infinity;
      this.asked = this.ask();
    }
    return this.asked;
  }

  private async ask(): Promise<OperatingFigures | undefined> {
    const started = performance.now();
    try {
      const [row] = await this.dataSource.query<{ figures: OperatingFigures }[]>(
        'SELECT ai_operating_figures($1) AS figures',
        [SILENT_MS],
      );
      return row!.figures;
    } catch (error) {
      this.logger.warn(`The figures of the work are missing from the metrics: ${briefError(error)}`);
      return undefined;
    } finally {
      const now = performance.now();
      this.freshUntil = now + Math.max(FRESH_MS, SHARE * (now - started));
    }
  }
}
