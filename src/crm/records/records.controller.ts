import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { Authorize, CurrentPrincipal } from '#libs/access';
import type { Principal } from '#libs/host';
import { PageOf, toPage, type Page, type PageQuery } from '../../config/page-query.js';
import { NewRecordDto, RecordChangesDto } from '../dto/record.dto.js';
import { RecordReader } from './record-reader.js';
import type { RecordView } from './record-views.js';
import { RecordWriter } from './record-writer.js';

@Controller()
@Authorize('write', 'Record')
export class RecordsController {
  constructor(
    private readonly reader: RecordReader,
    private readonly writer: RecordWriter,
  ) {}

  @Get('pipelines/:id/records')
  @Authorize('read', 'Record')
  async list(
    @CurrentPrincipal() principal: Principal,
    @Param('id') pipelineId: string,
    @PageOf(true) page: PageQuery,
  ): Promise<Page<RecordView>> {
    return toPage(await this.reader.list(principal, pipelineId, page), page.limit);
  }

  @Post('pipelines/:id/records')
  add(
    @CurrentPrincipal() principal: Principal,
    @Param('id') pipelineId: string,
    @Body() body: NewRecordDto,
  ): Promise<RecordView> {
    return this.writer.add(principal, pipelineId, body.data);
  }

  @Get('records/:id')
  @Authorize('read', 'Record')
  read(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<RecordView> {
    return this.reader.read(principal, id);
  }

  @Patch('records/:id')
  change(
    @CurrentPrincipal() principal: Principal,
    @Param('id') id: string,
    @Body() body: RecordChangesDto,
  ): Promise<RecordView> {
    return this.writer.change(principal, id, body.data, body.expected_version ?? undefined);
  }

  @Delete('records/:id')
  @HttpCode(204)
  remove(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<void> {
    return this.writer.remove(principal, id);
  }
}
