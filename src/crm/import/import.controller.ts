import { Controller, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { Request } from 'express';
import { Authorize, CurrentPrincipal, type PrincipalRequest } from '#libs/access';
import { FieldsmithError } from '#libs/common';
import type { Principal } from '#libs/host';
import { ImportQueryDto } from '../dto/import-query.dto.js';
import type { ImportResult } from './import-report.js';
import { RecordImporter } from './record-importer.js';

@Controller('pipelines')
export class ImportController {
  constructor(private readonly importer: RecordImporter) {}

  /** The body is read as it arrives; no body parser may have taken it before. */
  @Post(':id/import')
  @HttpCode(200)
  @Authorize('write', 'Record')
  run(
    @CurrentPrincipal() principal: Principal,
    @Param('id') pipelineId: string,
    @Query() query: ImportQueryDto,
    @Req() request: Request & PrincipalRequest,
  ): Promise<ImportResult> {
    requireCsv(request);
    const { isStillSignedIn } = request;
    const generate = query.generate === 'true';
    return this.importer.run(principal, pipelineId, request, { generate, isStillSignedIn });
  }
}

function requireCsv({ headers }: Request): void {
  const [type, ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.find((parameter) => parameter.trim().startsWith('charset='));
  const encoding = headers['content-encoding'];
  if (type?.trim() !== 'text/csv') throw unsupported('Send the table with "Content-Type: text/csv".');
  if (charset && !/^charset="?(utf-?8|us-ascii)"?$/.test(charset.trim()))
    throw unsupported('Send the table as UTF-8.');
  if (encoding && encoding !== 'identity') throw unsupported('Send the table without Content-Encoding.');
}

function unsupported(message: string): FieldsmithError {
  return new FieldsmithError('unsupported_media_type', message, { status: 415 });
}
