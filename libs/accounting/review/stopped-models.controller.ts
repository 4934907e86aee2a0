import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { AuditLog, Authorize, CurrentPrincipal } from '#libs/access';
import { NotFoundError } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';

/** A model that rests because a call of it cost more than was held: its price is wrong, or its bound. */
interface StoppedModel {
  provider: string;
  model: string;
  reason: string;
  stopped_at: string;
}

const LIST = `SELECT provider, model, reason, stopped_at FROM ai_stopped_models WHERE tenant_id = $1
  ORDER BY stopped_at DESC, provider, model`;
const RELEASE = `DELETE FROM ai_stopped_models WHERE tenant_id = $1 AND provider = $2 AND model = $3
  RETURNING provider, model, reason`;

/** Models that are stopped until an admin has looked. */
@Controller('stopped-models')
export class StoppedModelsController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly audit: AuditLog,
  ) {}

  @Get()
  @Authorize('configure', 'Budget')
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
  ): Promise<{ items: StoppedModel[]; next_cursor: null }> {
    const rows = await this.tenants.transaction(tenantId, (em) =>
      em.query<(Omit<StoppedModel, 'stopped_at'> & { stopped_at: Date })[]>(LIST, [tenantId]),
    );
    const items = rows.map((row) => ({ ...row, stopped_at: row.stopped_at.toISOString() }));
    return { items, next_cursor: null };
  }

  /** Jobs may use the model again; its next call that costs more than its hold stops it again. */
  @Delete(':provider/:model')
  @HttpCode(204)
  @Authorize('configure', 'Budget')
  async release(
    @CurrentPrincipal() principal: Principal,
    @Param('provider') provider: string,
    @Param('model') model: string,
  ): Promise<void> {
    const { tenantId } = principal;
    const subjectId = `${provider}/${model}`;
    await this.tenants.transaction(tenantId, async (em) => {
      const [[before]] = await em.query<[object[], number]>(RELEASE, [tenantId, provider, model]);
      if (!before) throw new NotFoundError('stopped model', subjectId);
      await this.audit.record(em, principal, {
        action: 'release',
        subject: 'StoppedModel',
        subjectId,
        before,
      });
    });
  }
}
