import { FieldsmithError } from '#libs/common';

/** What a run did, in numbers by name. */
export type MaintenanceResult = Record<string, number>;

/**
 * Called before each batch: looks whether the run still has its lease, which is kept while a batch runs.
 *
 * @throws MaintenanceEnded when the run is another's by now, or the process is about to stop.
 */
export type KeepOn = () => Promise<void>;

/**
 * Housekeeping that one process at a time does, on a schedule and on command. A run may end at any batch and is begun
 * anew, so each batch is a transaction of its own and doing it twice changes nothing.
 */
export interface MaintenanceJob {
  /** Names it in commands, logs and metrics. */
  readonly name: string;
  /** Milliseconds from the end of a run to the next one; null where it runs on command only. */
  readonly everyMs: number | null;
  /** Milliseconds after which the run of a process that is gone is anybody's. */
  readonly leaseMs: number;
  run(keepOn: KeepOn): Promise<MaintenanceResult>;
}

/** Nest token of the list of all {@link MaintenanceJob}s. */
export const MAINTENANCE_JOBS = Symbol('MAINTENANCE_JOBS');

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The run went through, but there is something that it could not do and somebody must see to. */
export class MaintenanceIncomplete extends FieldsmithError {
  constructor(
    message: string,
    readonly result: MaintenanceResult,
  ) {
    super('maintenance_incomplete', message);
  }
}

/** The run ends before its work does; what is left is the next run's. */
export class MaintenanceEnded extends Error {}
