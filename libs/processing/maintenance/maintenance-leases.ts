import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { MaintenanceJob, MaintenanceResult } from './maintenance-job.js';

/** A run that is this process's as long as it keeps its lease. */
export interface MaintenanceRun {
  name: string;
  /** Counts the runs of the job: the fence against one that comes back from the dead. */
  run: string;
}

export type MaintenanceOutcome = 'completed' | 'failed' | 'interrupted';

/** How a job of the maintenance stands. */
export interface MaintenanceState {
  name: string;
  outcome: MaintenanceOutcome | null;
  finished_at: Date | null;
  succeeded_at: Date | null;
  next_run: Date;
  duration_ms: number | null;
  running: boolean;
}

/** The rows of `ai_maintenance`: who runs what, until when it is believed alive, and how it ended. */
@Injectable()
export class MaintenanceLeases {
  private readonly holder = `${hostname()}:${process.pid}`;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /**
   * Takes one of the jobs that nobody runs: of those that are due the one that waits longest, or any where `forced`.
   *
   * @returns undefined where there is none.
   */
  async claim(
    jobs: readonly MaintenanceJob[],
    options: { forced: boolean },
  ): Promise<MaintenanceRun | undefined> {
    const names = jobs.map(({ name }) => name);
    const leaseMs = Math.max(...jobs.map((job) => job.leaseMs));
    const [row] = await this.dataSource.query<MaintenanceRun[]>(
      'SELECT * FROM ai_claim_maintenance($1, $2, $3, $4)',
      [names, this.holder, leaseMs, options.forced],
    );
    return row;
  }

  /** @returns false where the run is another's by now. */
  async renew({ name, run }: MaintenanceRun, leaseMs: number): Promise<boolean> {
    const [row] = await this.dataSource.query<{ renewed: boolean }[]>(
      'SELECT ai_renew_maintenance($1, $2, $3) AS renewed',
      [name, run, leaseMs],
    );
    return row!.renewed;
  }

  /** @param nextMs milliseconds until it is due again. */
  async end(
    { name, run }: MaintenanceRun,
    outcome: MaintenanceOutcome,
    result: MaintenanceResult,
    nextMs: number,
  ): Promise<void> {
    const values = [name, run, outcome, JSON.stringify(result), nextMs];
    await this.dataSource.query('SELECT ai_end_maintenance($1, $2, $3, $4, $5)', values);
  }

  state(em: EntityManager): Promise<MaintenanceState[]> {
    return em.query<MaintenanceState[]>('SELECT * FROM ai_maintenance_state()');
  }
}
