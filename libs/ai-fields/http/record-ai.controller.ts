import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Json } from '#libs/common';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { ValueActions, type HistoryPage, type ShownValue } from '../values/value-actions.js';
import { FeedbackDto, GenerateDto, HistoryQuery, MAX_HISTORY, RestoreDto } from './ai-fields.dto.js';

/** What people do with the AI value of one field of one record. */
@Controller('records/:recordId/ai/:slug')
export class RecordAiController {
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly actions: ValueActions,
  ) {}

  @Post('generate')
  @HttpCode(202)
  @Authorize('generate', 'AiValue')
  async generate(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
    @Body() body: GenerateDto,
  ): Promise<{ job_id: string }> {
    return this.tenants.transaction(principal.tenantId, async (em) => ({
      job_id: await this.actions.generate(em, principal, recordId, slug, body),
    }));
  }

  @Post('stop')
  @HttpCode(200)
  @Authorize('generate', 'AiValue')
  stop(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
  ): Promise<{ stopped: number }> {
    return this.tenants.transaction(principal.tenantId, async (em) => ({
      stopped: await this.actions.stop(em, principal, recordId, slug),
    }));
  }

  @Post('reset')
  @HttpCode(200)
  @Authorize('write', 'AiValue')
  reset(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
  ): Promise<ShownValue> {
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.actions.reset(em, principal, recordId, slug),
    );
  }

  @Post('restore')
  @HttpCode(200)
  @Authorize('write', 'AiValue')
  restore(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
    @Body() body: RestoreDto,
  ): Promise<ShownValue> {
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.actions.restore(em, principal, recordId, slug, body.execution_id),
    );
  }

  @Post('feedback')
  @HttpCode(200)
  @Authorize('write', 'AiValue')
  async feedback(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
    @Body() body: FeedbackDto,
  ): Promise<{ feedback: Json }> {
    await this.tenants.transaction(principal.tenantId, (em) =>
      this.actions.feedback(em, principal, recordId, slug, body.feedback, body.comment),
    );
    return { feedback: body.feedback };
  }

  @Get('history')
  @Authorize('read', 'AiValue')
  history(
    @CurrentPrincipal() principal: Principal,
    @Param('recordId') recordId: string,
    @Param('slug') slug: string,
    @Query() { limit = MAX_HISTORY, cursor }: HistoryQuery,
  ): Promise<HistoryPage> {
    return this.tenants.transaction(principal.tenantId, (em) =>
      this.actions.history(em, principal, recordId, slug, { limit, cursor }),
    );
  }
}
