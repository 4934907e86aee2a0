import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** What a tenant may know of the workers: how its own jobs fare. */
export interface WorkerHealth {
  status: 'ok' | 'delayed';
  workers: { id: string; jobs: number }[];
  pending: number;
  processing: number;
  oldest_waiting_seconds: number;
}

export interface Diagnostics {
  by_status: Record<string, number>;
  by_lane: { lane: string; pending: number; processing: number }[];
  waiting: Record<string, number>;
  failed_last_hour: Record<string, number>;
  completed_last_hour: number;
  paused_keys: { provider: string; until: string }[];
}

interface CountRow {
  key: string;
  count: number;
}

/** A due job that waited this long means that no worker takes jobs, or not enough of them. */
const DELAYED_SECONDS = 60;

/** Figures about the work of one tenant. */
@Injectable()
export class WorkerFigures {
  async health(em: EntityManager, tenantId: string): Promise<WorkerHealth> {
    const [counts] = await em.query<{ pending: number; processing: number; oldest: number }[]>(
      `SELECT count(*) FILTER (WHERE status = 'pending')::int AS pending,
              count(*) FILTER (WHERE status = 'processing')::int AS processing,
              greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(run_after)
                FILTER (WHERE status = 'pending' AND run_after <= clock_timestamp())), 0))::float8 AS oldest
         FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing')`,
      [tenantId],
    );
    const workers = await em.query<{ id: string; jobs: number }[]>(
      `SELECT worker_id AS id, count(*)::int AS jobs FROM ai_jobs
        WHERE tenant_id = $1 AND status = 'processing' GROUP BY worker_id ORDER BY worker_id`,
      [tenantId],
    );
    const { pending = 0, processing = 0, oldest = 0 } = counts ?? {};
    const status = oldest > DELAYED_SECONDS ? 'delayed' : 'ok';
    return { status, workers, pending, processing, oldest_waiting_seconds: Math.round(oldest * 1000) / 1000 };
  }

  async diagnostics(em: EntityManager, tenantId: string): Promise<Diagnostics> {
    const byStatus = await this.count(em, tenantId, 'status', 'true');
    const waiting = await this.count(em, tenantId, `coalesce(wait_reason, 'turn')`, `status = 'pending'`);
    const failed = await this.count(
      em,
      tenantId,
      'error_code',
      `status = 'failed' AND completed_at > now() - interval '1 hour'`,
    );
    const done = await this.count(
      em,
      tenantId,
      'status',
      `status = 'completed' AND completed_at > now() - interval '1 hour'`,
    );
    const lanes = await em.query<{ lane: number; pending: number; processing: number }[]>(
      `SELECT lane, count(*) FILTER (WHERE status = 'pending')::int AS pending,
              count(*) FILTER (WHERE status = 'processing')::int AS processing
         FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing') GROUP BY lane ORDER BY lane`,
      [tenantId],
    );
    const pauses = await em.query<{ provider: string; until: Date }[]>(
      `SELECT provider, paused_until AS until FROM ai_key_pauses WHERE paused_until > clock_timestamp() ORDER BY provider`,
    );
    return {
      by_status: byStatus,
      by_lane: lanes.map((row) => ({ ...row, lane: row.lane === 0 ? 'interactive' : 'backfill' })),
      waiting,
      failed_last_hour: failed,
      completed_last_hour: done['completed'] ?? 0,
      paused_keys: pauses.map(({ provider, until }) => ({ provider, until: until.toISOString() })),
    };
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
