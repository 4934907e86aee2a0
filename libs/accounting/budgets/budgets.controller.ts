import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import { centsToNano, InvalidInputError, NotFoundError } from '#libs/common';
import { PIPELINE_SCHEMAS, SERVICE_PRINCIPAL_ID, type PipelineSchemas, type Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { BLOCKED_JOBS, type BlockedJobs, type RetriedBlocked } from './blocked-jobs.js';
import { PutBudgetDto } from './budget.dto.js';
import { BUDGET_SCOPES, TENANT_SCOPE_ID, type BudgetScope } from './budget-scope.js';
import { requireSubject } from './budget-subject.js';
import { Budgets, type BudgetView } from './budgets.js';

/** A budget whose limit was set, and what waits for that. */
interface ChangedBudget extends BudgetView {
  /** Jobs that this budget had blocked, and that `retry_blocked` takes up again. */
  blocked_jobs: number;
}

@Controller('budgets')
export class BudgetsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly budgets: Budgets,
    @Inject(PIPELINE_SCHEMAS) private readonly schemas: PipelineSchemas,
    @Inject(BLOCKED_JOBS) private readonly blocked: BlockedJobs,
  ) {}

  @Get()
  @Authorize('read', 'Budget')
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
  ): Promise<{ items: BudgetView[]; next_cursor: null }> {
    const items = await this.tenants.transaction(tenantId, (em) => this.budgets.list(em, tenantId));
    return { items, next_cursor: null };
  }

  @Put(':scope/:scopeId')
  @Authorize('configure', 'Budget')
  async put(
    @CurrentPrincipal() principal: Principal,
    @Param('scope') scopeName: string,
    @Param('scopeId') scopeId: string,
    @Body() body: PutBudgetDto,
  ): Promise<ChangedBudget> {
    const { tenantId } = principal;
    const scope = checkScope(scopeName, scopeId);
    return this.tenants.transaction(tenantId, async (em) => {
      await requireSubject(em, this.schemas, tenantId, scope, scopeId);
      await this.budgets.setLimit(em, principal, scope, scopeId, centsToNano(body.limit_cents));
      const all = await this.budgets.list(em, tenantId);
      const budget = all.find((one) => one.scope === scope && one.scope_id === scopeId)!;
      return { ...budget, blocked_jobs: await this.blocked.count(em, tenantId, { scope, scopeId }) };
    });
  }

  /** Takes up again the jobs that this budget had blocked, at most 1,000 at a time. */
  @Post(':scope/:scopeId/retry_blocked')
  @HttpCode(200)
  @Authorize('configure', 'Budget')
  retryBlocked(
    @CurrentPrincipal() { tenantId }: Principal,
    @Param('scope') scopeName: string,
    @Param('scopeId') scopeId: string,
  ): Promise<RetriedBlocked> {
    const scope = checkScope(scopeName, scopeId);
    return this.tenants.transaction(tenantId, async (em) => {
      await requireSubject(em, this.schemas, tenantId, scope, scopeId);
      return this.blocked.retry(em, tenantId, { scope, scopeId });
    });
  }

  @Delete(':scope/:scopeId')
  @HttpCode(204)
  @Authorize('configure', 'Budget')
  async remove(
    @CurrentPrincipal() principal: Principal,
    @Param('scope') scope: string,
    @Param('scopeId') scopeId: string,
  ): Promise<void> {
    const checked = checkScope(scope, scopeId);
    await this.tenants.transaction(principal.tenantId, async (em) => {
      const removed = await this.budgets.removeLimit(em, principal, checked, scopeId);
      if (!removed) throw new NotFoundError('limit', `${checked}/${scopeId}`);
    });
  }
}

function checkScope(scope: string, scopeId: string): BudgetScope {
  const known = BUDGET_SCOPES.find((name) => name === scope);
  if (!known)
    throw new InvalidInputError([{ path: 'scope', message: `must be one of ${BUDGET_SCOPES.join(', ')}` }]);
  if (known === 'tenant' && scopeId !== TENANT_SCOPE_ID) {
    throw new InvalidInputError([
      { path: 'scope_id', message: `must be "${TENANT_SCOPE_ID}" for the tenant's budget` },
    ]);
  }
  if (known === 'field' && !/^[^:]{1,100}:[a-z][a-z0-9_]{0,62}$/.test(scopeId)) {
    throw new InvalidInputError([{ path: 'scope_id', message: 'must be <pipeline id>:<field slug>' }]);
  }
  if (known === 'user' && scopeId === SERVICE_PRINCIPAL_ID) {
    const message = 'automation has no budget of its own: limit the tenant or the field';
    throw new InvalidInputError([{ path: 'scope_id', message }]);
  }
  if (scopeId.length > 200)
    throw new InvalidInputError([{ path: 'scope_id', message: 'must be at most 200 characters' }]);
  return known;
}
