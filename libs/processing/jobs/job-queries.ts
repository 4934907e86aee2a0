import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { accessibleRows, type Action } from '#libs/access';
import { FieldsmithError, InvalidInputError, isId, NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import {
  executionViews,
  JOB_COLUMNS,
  jobView,
  type ExecutionRow,
  type JobViewRow,
} from '../http/job-view.js';
import type { Concealed } from '../pipeline/ai-process.js';
import { ProcessRegistry } from '../pipeline/process-registry.js';

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
  AND ($9::timestamptz IS NULL OR created_at >= $9) AND ($10::timestamptz IS NULL OR created_at < $10)`;

const EXECUTIONS = `
  SELECT id, attempt, n, provider, model, request, answer, value, stop_reason, usage, cost_nano, price_id, duration_ms,
         error_code, error_message, stored, created_at
    FROM ai_executions WHERE tenant_id = $1 AND job_id = $2 ORDER BY attempt, n`;

/** What the rules of a role may say of jobs. */
const RULE_COLUMNS = ['principal_id'];

function filterValues(tenantId: string, filter: JobFilter): unknown[] {
  const { status, field, pipeline_id, record_id, job_type, error_code, run_id, from, to } = filter;
  const values = [status, field, pipeline_id, record_id, job_type, error_code, run_id, from, to];
  return [tenantId, ...values.map((value) => value ?? null)];
}

/** Reading jobs, newest first: those that the rules let the principal see, and of each what its process lets them see. */
@Injectable()
export class JobQueries {
  constructor(private readonly processes: ProcessRegistry) {}

  /** @throws FieldsmithError `field_not_visible`, 403, for an `error_code` where the principal does not see every field. */
  async list(
    em: EntityManager,
    principal: Principal,
    filter: JobFilter,
    limit: number,
    cursor?: string,
  ): Promise<JobPage> {
    if (cursor !== undefined && !isId(cursor)) {
      throw new InvalidInputError([
        { path: 'cursor', message: 'must be the next_cursor of an earlier answer' },
      ]);
    }
    await this.requireFilter(em, principal, filter);
    const own = accessibleRows(principal, 'read', 'Job', RULE_COLUMNS, 13);
    const rows = await em.query<JobViewRow[]>(
      `SELECT ${JOB_COLUMNS} FROM ai_jobs WHERE ${WHERE} AND ($11::uuid IS NULL OR id < $11) AND ${own.sql}
        ORDER BY id DESC LIMIT $12`,
      [...filterValues(principal.tenantId, filter), cursor ?? null, limit + 1, ...own.values],
    );
    const shown = rows.slice(0, limit);
    const concealed = await this.concealed(em, principal, shown);
    // A page may have less than it could: being found by its end would tell that.
    const found =
      filter.error_code === undefined ? shown : shown.filter(({ id }) => !concealed.get(id)?.input);
    const items = found.map((row) => jobView(row, concealed.get(row.id)));
    return { items, next_cursor: rows.length > limit ? rows[limit - 1]!.id : null };
  }

  /** @throws NotFoundError */
  async one(em: EntityManager, principal: Principal, id: string): Promise<Record<string, unknown>> {
    const job = await this.find(em, principal, 'read', id);
    if (!job) throw new NotFoundError('job', id);
    const concealed = (await this.concealed(em, principal, [job])).get(id);
    const executions = await em.query<ExecutionRow[]>(EXECUTIONS, [principal.tenantId, id]);
    return {
      ...jobView(job, concealed),
      executions: executionViews(executions, concealed),
    };
  }

  /** Makes sure that the principal may do this to the job. @throws NotFoundError where it may not, or there is none. */
  async require(em: EntityManager, principal: Principal, action: Action, id: string): Promise<void> {
    if (!(await this.may(em, principal, action, id))) throw new NotFoundError('job', id);
  }

  /** Whether there is such a job that the principal may do this to. */
  async may(em: EntityManager, principal: Principal, action: Action, id: string): Promise<boolean> {
    return (await this.find(em, principal, action, id)) !== undefined;
  }

  /** Ids of jobs that the principal may write, for a bulk operation; at most this many. @throws as {@link list}. */
  async ids(em: EntityManager, principal: Principal, filter: JobFilter, limit: number): Promise<string[]> {
    await this.requireFilter(em, principal, filter);
    const own = accessibleRows(principal, 'write', 'Job', RULE_COLUMNS, 12);
    const rows = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE ${WHERE} AND ${own.sql} ORDER BY id LIMIT $11`,
      [...filterValues(principal.tenantId, filter), limit, ...own.values],
    );
    return rows.map((row) => row.id);
  }

  /** Whether the principal may not know of some job among these how it ended. */
  async hidesEnds(
    em: EntityManager,
    principal: Principal,
    { job_type: type, pipeline_id: pipelineId }: JobFilter = {},
  ): Promise<boolean> {
    for (const process of this.processes.all(type)) {
      if (await process.hidesEnds?.(em, principal, pipelineId)) return true;
    }
    return false;
  }

  /** Being found by how it ended would tell of a job whose end is not shown; to look at each would break pages. */
  private async requireFilter(em: EntityManager, principal: Principal, filter: JobFilter): Promise<void> {
    if (filter.error_code !== undefined && (await this.hidesEnds(em, principal, filter)))
      throw endsNotVisible();
  }

  private async find(
    em: EntityManager,
    principal: Principal,
    action: Action,
    id: string,
  ): Promise<JobViewRow | undefined> {
    if (!isId(id)) return undefined;
    const own = accessibleRows(principal, action, 'Job', RULE_COLUMNS, 3);
    const [row] = await em.query<JobViewRow[]>(
      `SELECT ${JOB_COLUMNS} FROM ai_jobs WHERE tenant_id = $1 AND id = $2 AND ${own.sql}`,
      [principal.tenantId, id, ...own.values],
    );
    return row;
  }

  /** Each process is asked once for all of its jobs. */
  private async concealed(
    em: EntityManager,
    principal: Principal,
    rows: readonly JobViewRow[],
  ): Promise<ReadonlyMap<string, Concealed>> {
    const all = new Map<string, Concealed>();
    for (const type of new Set(rows.map(({ job_type }) => job_type))) {
      const jobs = rows
        .filter(({ job_type }) => job_type === type)
        .map(({ id, pipeline_id, record_id, field }) => ({
          id,
          pipelineId: pipeline_id,
          recordId: record_id,
          field,
        }));
      const some = await this.processes.find(type)?.conceals?.(em, principal, jobs);
      for (const [id, concealed] of some ?? []) all.set(id, concealed);
    }
    return all;
  }
}

function endsNotVisible(): FieldsmithError {
  const message = 'Your role does not see every field, and error codes tell of those it does not see.';
  return new FieldsmithError('field_not_visible', `${message} Leave error_code out, or ask an owner.`, {
    status: 403,
    errors: [{ path: 'error_code', message }],
  });
}
