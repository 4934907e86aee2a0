import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { ListUnconfirmedQuery, UnconfirmedCallParams } from './unconfirmed-call.dto.js';
import { UnconfirmedCalls, type UnconfirmedPage } from './unconfirmed-calls.js';

const DEFAULT_LIMIT = 50;

@Controller('budgets/unconfirmed')
export class UnconfirmedCallsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly calls: UnconfirmedCalls,
  ) {}

  @Get()
  @Authorize('configure', 'Budget')
  list(
    @CurrentPrincipal() { tenantId }: Principal,
    @Query() { limit = DEFAULT_LIMIT, cursor }: ListUnconfirmedQuery,
  ): Promise<UnconfirmedPage> {
    return this.tenants.transaction(tenantId, (em) => this.calls.list(em, tenantId, limit, cursor));
  }

  @Post(':job_id/:attempt/:n/release')
  @HttpCode(204)
  @Authorize('configure', 'Budget')
  async release(
    @CurrentPrincipal() principal: Principal,
    @Param() { job_id: jobId, attempt, n }: UnconfirmedCallParams,
  ): Promise<void> {
    await this.tenants.transaction(principal.tenantId, (em) =>
      this.calls.release(em, principal, { jobId, attempt, n }),
    );
  }
}
