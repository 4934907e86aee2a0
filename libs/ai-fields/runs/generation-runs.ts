import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isId, nanoToUsd, newId, NotFoundError, type Json } from '#libs/common';
import {
  PIPELINE_SCHEMAS,
  RECORD_SCANNER,
  type HostRecord,
  type PipelineSchemas,
  type Principal,
  type RecordScanner,
} from '#libs/host';
import { JobControl, LANE } from '#libs/processing';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { CompiledConfigs } from '../config/compiled-configs.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { GenerationQueue } from '../generation/enqueue-due.js';
import type { AiValueState } from '../values/derive-state.js';
import { AiValueViews } from '../values/value-views.js';

export const RUN_SCOPES = ['all', 'empty', 'stale', 'failed'] as const;
export type RunScope = (typeof RUN_SCOPES)[number];

/** Which values of a field are to be generated. */
export interface RunRequest {
  pipelineId: string;
  field: string;
  scope: RunScope;
  filter?: Record<string, Json>;
  limit?: number;
}

export interface RunProgress {
  run_id: string;
  pipeline_id: string;
  field: string;
  total: number;
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  cancelled: number;
  cost_usd: number;
  eta_seconds: number | null;
  stopped: boolean;
  created_at: string;
}

interface RunRow {
  pipeline_id: string;
  field: string;
  total: number;
  stopped_at: Date | null;
  created_at: Date;
}

/** Records looked at, and jobs made, in one transaction. */
const PAGE = 500;

const STATES: Record<RunScope, readonly AiValueState[] | undefined> = {
  all: undefined,
  empty: ['empty'],
  stale: ['stale'],
  failed: ['failed', 'blocked'],
};

/** Generating the values of one field for many records: in the backfill lane, with progress, stoppable. */
@Injectable()
export class GenerationRuns {
  // The collaborators are what a run reads, and where it queues.
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    @Inject(RECORD_SCANNER) private readonly scanner: RecordScanner,
    private readonly tenants: TenantTransactions,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly views: AiValueViews,
    private readonly queue: GenerationQueue,
    private readonly jobs: JobControl,
  ) {}

  /** Queues the generations. @returns the run and how many were queued. @throws NotFoundError */
  async start(principal: Principal, request: RunRequest): Promise<{ run_id: string; queued: number }> {
    const { tenantId } = principal;
    const runId = newId();
    await this.tenants.transaction(tenantId, async (em) => {
      await this.compiled(em, tenantId, request);
      await em.query(
        'INSERT INTO ai_runs (tenant_id, id, pipeline_id, field, scope, principal_id) VALUES ($1, $2, $3, $4, $5, $6)',
        [tenantId, runId, request.pipelineId, request.field, request.scope, principal.id],
      );
    });
    let queued = 0;
    await this.eachPage(tenantId, request, async (em, compiled, records) => {
      const cause = { origin: 'backfill', principalId: principal.id, lane: LANE.backfill, runId } as const;
      const wanted = records.map((record) => ({ recordId: record.id, field: request.field, cause }));
      await this.queue.enqueue(em, tenantId, compiled, wanted);
      await em.query('UPDATE ai_runs SET total = total + $3 WHERE tenant_id = $1 AND id = $2', [
        tenantId,
        runId,
        wanted.length,
      ]);
      queued += wanted.length;
    });
    return { run_id: runId, queued };
  }

  /**
   * Calls the visitor with the records whose value is in the scope, page by page, each page in a transaction of its own.
   */
  async eachPage(
    tenantId: string,
    request: RunRequest,
    visit: (em: EntityManager, compiled: CompiledPipeline, records: HostRecord[]) => Promise<void>,
  ): Promise<void> {
    let left = request.limit ?? Number.MAX_SAFE_INTEGER;
    let after: string | undefined;
    do {
      after = await this.tenants.transaction(tenantId, async (em) => {
        const compiled = await this.compiled(em, tenantId, request);
        const page = await this.scanner.scan(em, tenantId, request.pipelineId, {
          after,
          limit: PAGE,
          filter: request.filter,
        });
        const matching = (await this.matching(em, tenantId, compiled, request, page.records)).slice(0, left);
        left -= matching.length;
        if (matching.length > 0) await visit(em, compiled, matching);
        return left > 0 ? page.next : undefined;
      });
    } while (after !== undefined);
  }

  /** @throws NotFoundError */
  async progress(em: EntityManager, tenantId: string, runId: string): Promise<RunProgress> {
    const run = await this.row(em, tenantId, runId);
    const [counts] = await em.query<
      Record<'pending' | 'processing' | 'completed' | 'failed' | 'cancelled', number>[] & { cost: string }[]
    >(
      `SELECT count(*) FILTER (WHERE status = 'pending')::int AS pending,
              count(*) FILTER (WHERE status = 'processing')::int AS processing,
              count(*) FILTER (WHERE status = 'completed')::int AS completed,
              count(*) FILTER (WHERE status = 'failed')::int AS failed,
              count(*) FILTER (WHERE status = 'cancelled')::int AS cancelled,
              coalesce(sum(cost_nano), 0) AS cost
         FROM ai_jobs WHERE tenant_id = $1 AND run_id = $2 AND field = $3`,
      [tenantId, runId, run.field],
    );
    const { cost, ...byStatus } = counts!;
    const ended = byStatus.completed + byStatus.failed + byStatus.cancelled;
    return {
      run_id: runId,
      pipeline_id: run.pipeline_id,
      field: run.field,
      total: run.total,
      ...byStatus,
      cost_usd: nanoToUsd(BigInt(cost)),
      eta_seconds: etaSeconds(run.created_at, ended, byStatus.pending + byStatus.processing),
      stopped: run.stopped_at !== null,
      created_at: run.created_at.toISOString(),
    };
  }

  /** Stops what has not started yet, save what an edit or a fresh upstream value wants by now as well. @throws NotFoundError */
  async stop(em: EntityManager, tenantId: string, runId: string): Promise<RunProgress> {
    await this.row(em, tenantId, runId);
    await em.query(
      'UPDATE ai_runs SET stopped_at = coalesce(stopped_at, now()) WHERE tenant_id = $1 AND id = $2',
      [tenantId, runId],
    );
    const pending = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND run_id = $2 AND status = 'pending' AND origin = 'backfill' ORDER BY id`,
      [tenantId, runId],
    );
    await this.jobs.cancelMany(
      em,
      tenantId,
      pending.map(({ id }) => id),
    );
    return this.progress(em, tenantId, runId);
  }

  private async compiled(
    em: EntityManager,
    tenantId: string,
    { pipelineId, field }: RunRequest,
  ): Promise<CompiledPipeline> {
    const pipeline = await this.schemas.read(em, tenantId, pipelineId);
    if (!pipeline) throw new NotFoundError('pipeline', pipelineId);
    const compiled = await this.configs.of(em, tenantId, pipeline, await this.settings.read(em, tenantId));
    if (!compiled.fields.has(field)) throw new NotFoundError('AI field', field);
    return compiled;
  }

  private async matching(
    em: EntityManager,
    tenantId: string,
    compiled: CompiledPipeline,
    { field, scope }: RunRequest,
    records: HostRecord[],
  ): Promise<HostRecord[]> {
    const states = STATES[scope];
    if (!states || records.length === 0) return records;
    const views = await this.views.describeCompiled(em, tenantId, compiled, records);
    return records.filter((record) => states.includes(views.get(record.id)?.[field]?.state ?? 'empty'));
  }

  private async row(em: EntityManager, tenantId: string, runId: string): Promise<RunRow> {
    const rows = isId(runId)
      ? await em.query<RunRow[]>(
          'SELECT pipeline_id, field, total, stopped_at, created_at FROM ai_runs WHERE tenant_id = $1 AND id = $2',
          [tenantId, runId],
        )
      : [];
    const [row] = rows;
    if (!row) throw new NotFoundError('run', runId);
    return row;
  }
}

/** Seconds until the rest is done at the pace so far; null while there is no pace yet. */
function etaSeconds(startedAt: Date, ended: number, open: number): number | null {
  if (open === 0) return 0;
  if (ended === 0) return null;
  return Math.ceil(((Date.now() - startedAt.getTime()) / 1000 / ended) * open);
}
