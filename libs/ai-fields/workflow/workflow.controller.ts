import { Body, Controller, HttpStatus, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { Wakeups } from '#libs/events';
import type { Principal } from '#libs/host';
import { JobQueries, JobStore, LANE } from '#libs/processing';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { WORKFLOW_NODE, WorkflowNodeProcess } from './workflow-node.process.js';
import { RunWorkflowNodeDto } from './workflow.dto.js';

/** Milliseconds that a caller who waits is kept waiting; then it gets the job's id. */
const MAX_WAIT_MS = 60_000;
/** A waiting caller's job is looked at this often even if no wake-up comes. */
const POLL_MS = 1_000;

@Controller('workflow-ai')
export class WorkflowController {
  // The collaborators are those of a job that is made here and waited for here.
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly process: WorkflowNodeProcess,
    private readonly jobs: JobStore,
    private readonly queries: JobQueries,
    private readonly wakeups: Wakeups,
  ) {}

  @Post()
  @Authorize('generate', 'AiValue')
  async run(
    @CurrentPrincipal() principal: Principal,
    @Body() body: RunWorkflowNodeDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Record<string, unknown>> {
    const jobId = await this.enqueue(principal, body);
    const job = body.wait ? await this.waitFor(principal, jobId) : undefined;
    response.status(job ? HttpStatus.OK : HttpStatus.ACCEPTED);
    return job ? { job_id: jobId, ...job } : { job_id: jobId };
  }

  private enqueue(principal: Principal, body: RunWorkflowNodeDto): Promise<string> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      const { deniedFields } = await this.settings.read(em, tenantId);
      const input = this.process.accept(
        body.node_config,
        body.workflow_context,
        body.execution_id,
        deniedFields,
      );
      const [id] = await this.jobs.enqueue(em, tenantId, [
        {
          jobType: WORKFLOW_NODE,
          lane: LANE.interactive,
          priority: body.priority,
          origin: 'workflow',
          principalId: principal.id,
          // A plain copy: class instances of the DTO are not JSON by type.
          input: JSON.parse(JSON.stringify(input)) as NonNullable<
            Parameters<JobStore['enqueue']>[2][number]['input']
          >,
        },
      ]);
      return id!;
    });
  }

  /** The job once it has ended, or undefined where that takes too long. */
  private async waitFor(principal: Principal, jobId: string): Promise<Record<string, unknown> | undefined> {
    const { tenantId } = principal;
    const until = Date.now() + MAX_WAIT_MS;
    for (;;) {
      const woken = this.nextEvent(tenantId);
      const job = await this.tenants.transaction(tenantId, (em) => this.queries.one(em, principal, jobId));
      if (job['status'] !== 'pending' && job['status'] !== 'processing') return job;
      if (Date.now() >= until) return undefined;
      await woken;
    }
  }

  private nextEvent(tenantId: string): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      };
      const timer = setTimeout(done, POLL_MS);
      const unsubscribe = this.wakeups.subscribe('events', (woken) => woken === tenantId && done());
    });
  }
}
