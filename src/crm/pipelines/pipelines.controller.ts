import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Principal } from '#libs/host';
import { PageOf, toPage, type Page, type PageQuery } from '../../config/page-query.js';
import { FieldChangesDto, FieldDto, NewPipelineDto, PipelineChangesDto } from '../dto/pipeline.dto.js';
import { FieldAdmin } from './field-admin.js';
import { PipelineAdmin } from './pipeline-admin.js';
import type { FieldView, PipelineView } from './pipeline-views.js';

@Controller('pipelines')
@Authorize('configure', 'Pipeline')
export class PipelinesController {
  constructor(
    private readonly pipelines: PipelineAdmin,
    private readonly fields: FieldAdmin,
  ) {}

  @Get()
  @Authorize('read', 'Pipeline')
  async list(
    @CurrentPrincipal() { tenantId }: Principal,
    @PageOf() page: PageQuery,
  ): Promise<Page<PipelineView>> {
    return toPage(await this.pipelines.list(tenantId, page.after ?? '', page.limit + 1), page.limit);
  }

  @Post()
  add(@CurrentPrincipal() principal: Principal, @Body() body: NewPipelineDto): Promise<PipelineView> {
    return this.pipelines.add(principal, body);
  }

  @Get(':id')
  @Authorize('read', 'Pipeline')
  read(@CurrentPrincipal() { tenantId }: Principal, @Param('id') id: string): Promise<PipelineView> {
    return this.pipelines.read(tenantId, id);
  }

  @Patch(':id')
  change(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Body() body: PipelineChangesDto,
  ): Promise<PipelineView> {
    return this.pipelines.change(principal, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<void> {
    return this.pipelines.remove(principal, id);
  }

  @Post(':id/fields')
  addField(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Body() body: FieldDto,
  ): Promise<FieldView> {
    return this.fields.add(principal, id, body);
  }

  @Patch(':id/fields/:slug')
  changeField(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Param('slug') slug: string,
    @Body() body: FieldChangesDto,
  ): Promise<FieldView> {
    return this.fields.change(principal, id, slug, body);
  }

  @Delete(':id/fields/:slug')
  @HttpCode(204)
  removeField(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Param('slug') slug: string,
  ): Promise<void> {
    return this.fields.remove(principal, id, slug);
  }
}
