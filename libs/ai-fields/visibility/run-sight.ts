import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { seesEverything } from '#libs/access';
import { PIPELINE_SCHEMAS, type HostPipeline, type PipelineSchemas, type Principal } from '#libs/host';
import type { RunProgress } from '../runs/generation-runs.js';
import { ValueSight } from './value-sight.js';

/** Without the cost, where that would tell of what went into the values. */
export type ShownProgress = Omit<RunProgress, 'cost_usd'> & Partial<Pick<RunProgress, 'cost_usd'>>;

const MADE_FROM = `
  SELECT FROM ai_run_jobs m JOIN ai_executions e ON e.tenant_id = m.tenant_id
     AND (e.job_id = m.job_id OR e.job_id = ANY (m.earlier))
   WHERE m.tenant_id = $1 AND m.run_id = $2 AND e.sources && $3::text[] LIMIT 1`;
const NONE: ReadonlySet<string> = new Set();

/** What a principal sees of runs. */
@Injectable()
export class RunSight {
  constructor(
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    private readonly sights: ValueSight,
  ) {}

  /** @throws FieldNotVisibleError, 403, where the run is of a field of which they do not see every value. */
  async shown(em: EntityManager, principal: Principal, progress: RunProgress): Promise<ShownProgress> {
    if (seesEverything(principal.roles)) return progress;
    const { run_id: runId, pipeline_id: pipelineId, field } = progress;
    const pipeline = await this.schemas.read(em, principal.tenantId, pipelineId);
    if (pipeline) await this.sights.requireFilter(em, principal, pipeline, [field]);
    const knowsEnds = await this.sights.ends(em, principal, [pipelineId]);
    const tells =
      !knowsEnds(pipelineId, field) || (await this.madeFromHidden(em, principal, pipeline, runId));
    if (!tells) return progress;
    const { cost_usd: _lengthOfPrompts, ...rest } = progress;
    return rest;
  }

  /** Whatever the prompt says now. */
  private async madeFromHidden(
    em: EntityManager,
    principal: Principal,
    pipeline: HostPipeline | undefined,
    runId: string,
  ): Promise<boolean> {
    const hidden = pipeline ? (await this.sights.of(em, principal, pipeline)).hidden : NONE;
    if (hidden.size === 0) return false;
    const made = await em.query<unknown[]>(MADE_FROM, [principal.tenantId, runId, [...hidden]]);
    return made.length > 0;
  }
}
