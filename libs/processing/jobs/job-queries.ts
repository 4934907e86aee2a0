import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { InvalidInputError, isId, NotFoundError } from '#libs/common';
import { executionView, JOB_COLUMNS, jobView, type ExecutionRow, type JobViewRow } from '../http/job-view.js';

export interface JobFilter {
  status?: string;
  field?: string;
  pipeline_id?: string;
  record_id?: string;
  job_type?: string;
  error_code?: string;
  run_id?: string;
  from?: string;
  to?: string;
  /** Only jobs of this principal. */
  principalId?: string;
}

export interface JobPage {
  items: Record<string, unknown>[];
  next_cursor: string | null;
}

/** Every filter is one parameter that may be null, so that the statement is one and prepared. */
const WHERE = `tenant_id = $1
  AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR field = $3) AND ($4::text IS NULL OR pipeline_id = $4)
  AND ($5::text IS NULL OR record_id = $5) AND ($6::text IS NULL OR job_type = $6) AND ($7::text IS NULL OR error_code = $7)
  AND ($8::uuid IS NULL OR run_id = $8 OR id IN (SELECT job_id FROM ai_run_jobs WHERE tenant_id = $1 AND run_id = $8))
  AND ($9::timestamptz IS NULL OR created_at >= $9) AND ($10::timestamptz IS NULL OR created_at < $10)
  AND ($11::text IS NULL OR principal_id = $11)`;

function filterValues(tenantId: string, filter: JobFilter): unknown[] {
  const { status, field, pipeline_id, record_id, job_type, error_code, run_id, from, to, principalId } =
    filter;
  const values = [status, field, pipeline_id, record_id, job_type, error_code, run_id, from, to, principalId];
  return [tenantId, ...values.map((value) => value ?? null)];
}

/** Reading jobs, newest first. */
@Injectable()
export class JobQueries {
  async list(
    em: EntityManager,
    tenantId: string,
    filter: JobFilter,
    limit: number,
    cursor?: string,
  ): Promise<JobPage> {
    if (cursor !== undefined && !isId(cursor)) {
      throw new InvalidInputError([
        { path: 'cursor', message: 'must be the next_cursor of an earlier answer' },
      ]);
    }
    const rows = await em.query<JobViewRow[]>(
      `SELECT ${JOB_COLUMNS} FROM ai_jobs WHERE ${WHERE} AND ($12::uuid IS NULL OR id < $12) ORDER BY id DESC LIMIT $13`,
      [...filterValues(tenantId, filter), cursor ?? null, limit + 1],
    );
    const items = rows.slice(0, limit).map(jobView);
    return { items, next_cursor: rows.length > limit ? rows[limit - 1]!.id : null };
  }

  /** @throws NotFoundError */
  async one(
    em: EntityManager,
    tenantId: string,
    id: string,
    principalId?: string,
  ): Promise<Record<string, unknown>> {
    const job = await this.row(em, tenantId, id, principalId);
    const executions = await em.query<ExecutionRow[]>(
      `SELECT id, attempt, n, provider, model, request, answer, value, stop_reason, usage, cost_nano, price_id, duration_ms,
              error_code, error_message, stored, created_at
         FROM ai_executions WHERE tenant_id = $1 AND job_id = $2 ORDER BY attempt, n`,
      [tenantId, id],
    );
    return { ...jobView(job), executions: executions.map(executionView) };
  }

  /** @throws NotFoundError */
  async row(em: EntityManager, tenantId: string, id: string, principalId?: string): Promise<JobViewRow> {
    if (!isId(id)) throw new NotFoundError('job', id);
    const [row] = await em.query<JobViewRow[]>(
      `SELECT ${JOB_COLUMNS} FROM ai_jobs WHERE tenant_id = $1 AND id = $2 AND ($3::text IS NULL OR principal_id = $3)`,
      [tenantId, id, principalId ?? null],
    );
    if (!row) throw new NotFoundError('job', id);
    return row;
  }

  /** Ids that a bulk operation is about, at most this many. */
  async ids(em: EntityManager, tenantId: string, filter: JobFilter, limit: number): Promise<string[]> {
    const rows = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE ${WHERE} ORDER BY id LIMIT $12`,
      [...filterValues(tenantId, filter), limit],
    );
    return rows.map((row) => row.id);
  }
}
