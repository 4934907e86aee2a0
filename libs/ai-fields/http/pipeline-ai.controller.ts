import { Body, Controller, Get, HttpStatus, Inject, Param, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { NotFoundError } from '#libs/common';
import {
  PIPELINE_SCHEMAS,
  RECORD_SCANNER,
  type PipelineSchemas,
  type Principal,
  type RecordScanner,
} from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import type { AiValueState } from '../values/derive-state.js';
import { AiValueViews, showValues } from '../values/value-views.js';
import { GenerationRuns } from '../runs/generation-runs.js';
import { RunEstimator, type RunEstimate } from '../runs/run-estimate.js';
import { sightOfFacts } from '../visibility/record-sight.js';
import { RunSight, type ShownProgress } from '../visibility/run-sight.js';
import { GenerateManyDto } from './ai-fields.dto.js';

type StateCounts = Record<string, Partial<Record<AiValueState, number>>>;

const PAGE = 500;

@Controller()
export class PipelineAiController {
  // The collaborators are the two ways a run can go, and what counting states reads.
  constructor(
    private readonly runs: GenerationRuns,
    private readonly estimator: RunEstimator,
    private readonly tenants: TenantTransactions,
    private readonly views: AiValueViews,
    private readonly sights: RunSight,
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    @Inject(RECORD_SCANNER) private readonly scanner: RecordScanner,
  ) {}

  @Post('pipelines/:id/ai/:slug/generate')
  @Authorize('generate', 'AiValue')
  async generate(
    @CurrentPrincipal() principal: Principal,
    @Param('id') pipelineId: string,
    @Param('slug') field: string,
    @Body() body: GenerateManyDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RunEstimate | { run_id: string; queued: number }> {
    const request = {
      pipelineId,
      field,
      scope: body.scope,
      filter: body.filter ?? undefined,
      limit: body.limit ?? undefined,
      priority: body.priority ?? undefined,
    };
    response.status(body.dry_run ? HttpStatus.OK : HttpStatus.ACCEPTED);
    return body.dry_run ? this.estimator.estimate(principal, request) : this.runs.start(principal, request);
  }

  @Get('pipelines/:id/ai/states')
  @Authorize('read', 'AiValue')
  async states(
    @CurrentPrincipal() principal: Principal,
    @Param('id') pipelineId: string,
  ): Promise<StateCounts> {
    const { tenantId } = principal;
    const counts: StateCounts = {};
    let after: string | undefined;
    do {
      after = await this.tenants.snapshot(tenantId, async (em) => {
        const pipeline = await this.schemas.read(em, tenantId, pipelineId);
        if (!pipeline) throw new NotFoundError('pipeline', pipelineId);
        const page = await this.scanner.scan(em, tenantId, pipelineId, { after, limit: PAGE });
        const ids = page.records.map(({ id }) => id);
        const facts = await this.views.facts(em, tenantId, pipeline, ids);
        for (const [id, record] of showValues(facts, page.records))
          countStates(counts, record, sightOfFacts(facts, principal.roles, id).hidden);
        return page.next;
      });
    } while (after !== undefined);
    return counts;
  }

  @Get('ai-runs/:id')
  @Authorize('read', 'Run')
  progress(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<ShownProgress> {
    const { tenantId } = principal;
    return this.tenants.snapshot(tenantId, async (em) =>
      this.sights.shown(em, principal, await this.runs.progress(em, tenantId, id)),
    );
  }

  @Post('ai-runs/:id/stop')
  @Authorize('cancel', 'Run')
  async stop(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<ShownProgress> {
    const { tenantId } = principal;
    response.status(HttpStatus.OK);
    // Who may not see how it goes undoes the stop with the refusal.
    return this.tenants.transaction(tenantId, async (em) =>
      this.sights.shown(em, principal, await this.runs.stop(em, tenantId, id)),
    );
  }
}

function countStates(
  counts: StateCounts,
  record: Record<string, { state: AiValueState }>,
  hidden: ReadonlySet<string>,
): void {
  for (const [field, { state }] of Object.entries(record)) {
    if (hidden.has(field)) continue;
    const own = (counts[field] ??= {});
    own[state] = (own[state] ?? 0) + 1;
  }
}
