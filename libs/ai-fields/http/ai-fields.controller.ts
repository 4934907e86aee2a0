import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Principal } from '#libs/host';
import { DraftFieldDto } from './ai-fields.dto.js';
import { Drafts, type Draft, type DraftPreview, type DraftResult } from './drafts.js';

@Controller('ai-fields')
export class AiFieldsController {
  constructor(private readonly drafts: Drafts) {}

  @Post('preview')
  @HttpCode(200)
  @Authorize('configure', 'AiField')
  preview(@CurrentPrincipal() principal: Principal, @Body() body: DraftFieldDto): Promise<DraftPreview> {
    return this.drafts.preview(principal, toDraft(body));
  }

  @Post('try')
  @HttpCode(200)
  @Authorize('configure', 'AiField')
  try(@CurrentPrincipal() principal: Principal, @Body() body: DraftFieldDto): Promise<DraftResult> {
    return this.drafts.try(principal, toDraft(body));
  }
}

/** `null` counts as not given. */
function toDraft(body: DraftFieldDto): Draft {
  return {
    pipelineId: body.pipeline_id,
    aiConfig: body.ai_config,
    field: body.field ?? undefined,
    recordId: body.record_id ?? undefined,
  };
}
