import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { FieldsmithError, InvalidInputError, type ErrorDetail } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { JobControl } from '../jobs/job-control.js';
import { JobQueries, type JobPage } from '../jobs/job-queries.js';
import { WorkerFigures, type Diagnostics, type WorkerHealth } from '../jobs/worker-figures.js';
import { BulkRetryDto, ListJobsQuery } from './job.dto.js';

const DEFAULT_LIMIT = 50;
const MAX_BULK = 1000;

/** A job that a bulk retry left as it was, and why. */
interface Skipped {
  id: string;
  reason: string;
}

@Controller('ai-jobs')
export class JobsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly queries: JobQueries,
    private readonly control: JobControl,
    private readonly figures: WorkerFigures,
  ) {}

  @Get()
  @Authorize('read', 'Job')
  list(@CurrentPrincipal() principal: Principal, @Query() query: ListJobsQuery): Promise<JobPage> {
    const { limit = DEFAULT_LIMIT, cursor, ...filter } = query;
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.queries.list(em, principal, filter, limit, cursor),
    );
  }

  @Get('worker_health')
  @Authorize('read', 'JobQueue')
  workerHealth(@CurrentPrincipal() { tenantId }: Principal): Promise<WorkerHealth> {
    return this.figures.health(tenantId);
  }

  @Get('diagnostics')
  @Authorize('read', 'JobQueue')
  diagnostics(@CurrentPrincipal() principal: Principal): Promise<Diagnostics> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      const { failed_last_hour: byCode, ...figures } = await this.figures.diagnostics(em, tenantId);
      return (await this.queries.hidesEnds(em, principal))
        ? figures
        : { ...figures, failed_last_hour: byCode };
    });
  }

  @Post('bulk_retry')
  @HttpCode(200)
  @Authorize('write', 'JobQueue')
  async bulkRetry(
    @CurrentPrincipal() principal: Principal,
    @Body() body: BulkRetryDto,
  ): Promise<{ retried: number; skipped: Skipped[] }> {
    if ((body.ids === undefined) === (body.filter === undefined)) {
      throw new InvalidInputError([oneOfMessage]);
    }
    const ids = body.ids ?? (await this.failedIds(principal, body));
    const skipped: Skipped[] = [];
    for (const id of ids) {
      const reason = await this.tryRetry(principal, id);
      if (reason) skipped.push({ id, reason });
    }
    return { retried: ids.length - skipped.length, skipped };
  }

  @Post('queue_pending')
  @HttpCode(200)
  @Authorize('write', 'JobQueue')
  async queuePending(@CurrentPrincipal() { tenantId }: Principal): Promise<{ queued: number }> {
    return {
      queued: await this.tenants.transaction(tenantId, (em) => this.control.queuePending(em, tenantId)),
    };
  }

  @Get(':id')
  @Authorize('read', 'Job')
  one(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<Record<string, unknown>> {
    return this.tenants.transaction(principal.tenantId, (em) => this.queries.one(em, principal, id));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @Authorize('write', 'Job')
  retry(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<Record<string, unknown>> {
    return this.tenants.transaction(principal.tenantId, async (em) =>
      this.queries.one(em, principal, await this.retryOne(em, principal, id)),
    );
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Authorize('cancel', 'Job')
  cancel(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
  ): Promise<Record<string, unknown>> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      await this.queries.require(em, principal, 'cancel', id);
      await this.control.cancel(em, tenantId, id);
      return this.queries.one(em, principal, id);
    });
  }

  private failedIds(principal: Principal, { filter = {} }: BulkRetryDto): Promise<string[]> {
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.queries.ids(em, principal, { ...filter, status: filter.status ?? 'failed' }, MAX_BULK),
    );
  }

  /** @returns the id of the job that will run. */
  private async retryOne(em: EntityManager, principal: Principal, id: string): Promise<string> {
    await this.queries.require(em, principal, 'write', id);
    const running = await this.control.retry(em, principal.tenantId, id);
    if (running === id || (await this.queries.may(em, principal, 'read', running))) return running;
    const message = 'The value is queued already, by somebody else: there is nothing to retry.';
    throw new FieldsmithError('job_not_retryable', message, { status: 409 });
  }

  /** @returns why the job was left as it is, if it was. */
  private async tryRetry(principal: Principal, id: string): Promise<string | undefined> {
    try {
      await this.tenants.transaction(principal.tenantId, (em) => this.retryOne(em, principal, id));
      return undefined;
    } catch (error) {
      if (error instanceof FieldsmithError) return error.code;
      throw error;
    }
  }
}

const oneOfMessage: ErrorDetail = { path: 'ids', message: 'give either ids or filter' };
