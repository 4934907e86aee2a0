import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { firstIdOf } from '#libs/common';
import { TenantTransactions } from '#libs/tenants';
import { SILENT_MS } from '../dispatch/heartbeat.js';
import { MaintenanceLeases, type MaintenanceOutcome } from '../maintenance/maintenance-leases.js';
import { laneName } from '../telemetry/job-metrics.js';
import { BackendLatencies, type BackendLatency } from './backend-latency.js';
import { KeyStates, type KeyState } from './key-states.js';

/** A worker process that is alive. What other tenants have it do is not told. */
export interface LiveWorker {
  id: string;
  /** Jobs that it works on at once. */
  slots: number;
  started_at: string;
  heartbeat_at: string;
  /** Jobs of this tenant that it works on now. */
  jobs: number;
}

export interface LaneFigures {
  lane: string;
  pending: number;
  processing: number;
  oldest_waiting_seconds: number;
}

/** What a tenant may know of the workers: that they live, and how its own jobs fare. */
export interface WorkerHealth extends BackendLatency {
  /** `no_workers`: nobody takes jobs; `delayed`: one that is due has waited for more than a minute. */
  status: 'ok' | 'delayed' | 'no_workers';
  workers_alive: number;
  workers: LiveWorker[];
  pending: number;
  processing: number;
  oldest_waiting_seconds: number;
  lanes: LaneFigures[];
  /** Share of the jobs that ended in the last hour (of those made within a day); `null` where none ended. */
  failure_rate_last_hour: number | null;
  keys: KeyState[];
}

export interface Diagnostics {
  by_status: Record<string, number>;
  by_lane: LaneFigures[];
  waiting: Record<string, number>;
  /** By the code of the error; not told to who may not know how every job ended. */
  failed_last_hour?: Record<string, number>;
  completed_last_hour: number;
  paused_keys: KeyState[];
  failing_keys: KeyState[];
  maintenance: MaintenanceView[];
}

/** When a job of the maintenance last ran; it works on all tenants, so what it did is not told. */
export interface MaintenanceView {
  job: string;
  outcome: MaintenanceOutcome | null;
  running: boolean;
  finished_at: string | null;
  next_run: string;
  duration_ms: number | null;
}

interface CountRow {
  key: string;
  count: number;
}

/** A due job that waited this long means that no worker takes jobs, or not enough of them. */
const DELAYED_SECONDS = 60;
const DAY_MS = 86_400_000;

/** Figures about the work of one tenant. */
@Injectable()
export class WorkerFigures {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly keys: KeyStates,
    private readonly latencies: BackendLatencies,
    private readonly maintenance: MaintenanceLeases,
  ) {}

  async health(tenantId: string): Promise<WorkerHealth> {
    const redis = await this.latencies.ofRedis();
    return this.tenants.transaction(tenantId, async (em) => ({
      ...(await this.healthOf(em, tenantId)),
      ...redis,
    }));
  }

  private async healthOf(em: EntityManager, tenantId: string): Promise<WorkerHealth> {
    const lanes = await this.lanes(em, tenantId);
    const workers = await this.workers(em, tenantId);
    const oldest = Math.max(0, ...lanes.map((lane) => lane.oldest_waiting_seconds));
    return {
      status: statusOf(workers.length, oldest),
      workers_alive: workers.length,
      workers,
      pending: total(lanes, 'pending'),
      processing: total(lanes, 'processing'),
      oldest_waiting_seconds: oldest,
      lanes,
      failure_rate_last_hour: await this.failureRate(em, tenantId),
      keys: await this.keys.of(em, tenantId),
      ...(await this.latencies.ofPostgres(em)),
    };
  }

  async diagnostics(em: EntityManager, tenantId: string): Promise<Diagnostics> {
    const lastHour = `completed_at > now() - interval '1 hour'`;
    const done = await this.count(em, tenantId, 'status', `status = 'completed' AND ${lastHour}`);
    return {
      by_status: await this.count(em, tenantId, 'status', 'true'),
      by_lane: await this.lanes(em, tenantId),
      waiting: await this.count(em, tenantId, `coalesce(wait_reason, 'turn')`, `status = 'pending'`),
      failed_last_hour: await this.count(em, tenantId, 'error_code', `status = 'failed' AND ${lastHour}`),
      completed_last_hour: done['completed'] ?? 0,
      paused_keys: await this.keys.paused(em, tenantId),
      failing_keys: await this.keys.failing(em, tenantId),
      maintenance: await this.maintenanceViews(em),
    };
  }

  private async lanes(em: EntityManager, tenantId: string): Promise<LaneFigures[]> {
    const rows = await em.query<{ lane: number; pending: number; processing: number; oldest: number }[]>(
      `SELECT lane, count(*) FILTER (WHERE status = 'pending')::int AS pending,
              count(*) FILTER (WHERE status = 'processing')::int AS processing,
              greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(run_after)
                FILTER (WHERE status = 'pending' AND run_after <= clock_timestamp())), 0))::float8 AS oldest
         FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing') GROUP BY lane ORDER BY lane`,
      [tenantId],
    );
    return rows.map(({ lane, pending, processing, oldest }) => ({
      lane: laneName(lane),
      pending,
      processing,
      oldest_waiting_seconds: Math.round(oldest * 1000) / 1000,
    }));
  }

  private async workers(em: EntityManager, tenantId: string): Promise<LiveWorker[]> {
    const rows = await em.query<(LiveWorker & { started_at: Date; heartbeat_at: Date })[]>(
      `SELECT w.id, w.slots, w.started_at, w.heartbeat_at,
              (SELECT count(*)::int FROM ai_jobs j
                WHERE j.tenant_id = $1 AND j.status = 'processing' AND j.worker_id = w.id) AS jobs
         FROM ai_workers_alive($2) w`,
      [tenantId, SILENT_MS],
    );
    return rows.map((row) => ({
      ...row,
      started_at: row.started_at.toISOString(),
      heartbeat_at: row.heartbeat_at.toISOString(),
    }));
  }

  /** Of jobs made within a day, found by their ids: a tenant's jobs of all times may be millions. */
  private async failureRate(em: EntityManager, tenantId: string): Promise<number | null> {
    const [row] = await em.query<{ rate: number | null }[]>(
      `SELECT avg(CASE status WHEN 'failed' THEN 1 ELSE 0 END)::float8 AS rate FROM ai_jobs
        WHERE tenant_id = $1 AND id > $2 AND status IN ('completed', 'failed') AND completed_at > now() - interval '1 hour'`,
      [tenantId, firstIdOf(new Date(Date.now() - DAY_MS))],
    );
    return row?.rate ?? null;
  }

  private async maintenanceViews(em: EntityManager): Promise<MaintenanceView[]> {
    const rows = await this.maintenance.state(em);
    return rows.map(({ name, outcome, running, finished_at, next_run, duration_ms }) => ({
      job: name,
      outcome,
      running,
      finished_at: finished_at?.toISOString() ?? null,
      next_run: next_run.toISOString(),
      duration_ms,
    }));
  }

  /** Both texts are constants of this file, never input. */
  private async count(
    em: EntityManager,
    tenantId: string,
    key: string,
    where: string,
  ): Promise<Record<string, number>> {
    const rows = await em.query<CountRow[]>(
      `SELECT ${key} AS key, count(*)::int AS count FROM ai_jobs WHERE tenant_id = $1 AND ${where} GROUP BY 1 ORDER BY 1`,
      [tenantId],
    );
    return Object.fromEntries(rows.map(({ key: name, count }) => [name, count]));
  }
}

function statusOf(workers: number, oldestSeconds: number): WorkerHealth['status'] {
  if (workers === 0) return 'no_workers';
  return oldestSeconds > DELAYED_SECONDS ? 'delayed' : 'ok';
}

function total(lanes: LaneFigures[], of: 'pending' | 'processing'): number {
  return lanes.reduce((sum, lane) => sum + lane[of], 0);
}
