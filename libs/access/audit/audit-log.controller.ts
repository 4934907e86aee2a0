import { Controller, Get, Query, type StreamableFile } from '@nestjs/common';
import { csvFile } from '#libs/common';
import type { Principal } from '#libs/host';
import { Authorize, CurrentPrincipal } from '../authorize.js';
import { AuditEntries, type AuditFilter, type AuditPage } from './audit-entries.js';
import type { AuditEntry } from './audit-entry.js';
import { AuditLogQuery } from './audit-log.dto.js';

const DEFAULT_LIMIT = 50;

const COLUMNS = [
  'id',
  'at',
  'actor_id',
  'actor_name',
  'action',
  'subject',
  'subject_id',
  'before',
  'after',
] as const satisfies readonly (keyof AuditEntry)[];

@Controller('audit-log')
export class AuditLogController {
  constructor(private readonly entries: AuditEntries) {}

  @Get()
  @Authorize('read', 'AuditLog')
  async read(
    @CurrentPrincipal() { tenantId }: Principal,
    @Query() query: AuditLogQuery,
  ): Promise<AuditPage | StreamableFile> {
    const filter = filterOf(query);
    if (query.format === 'csv')
      return csvFile('audit-log', COLUMNS, rowsOf(await this.entries.all(tenantId, filter)));
    return this.entries.page(tenantId, filter, query.limit ?? DEFAULT_LIMIT, query.cursor);
  }
}

function filterOf({ from, to, actor, action, subject, subject_id: subjectId }: AuditLogQuery): AuditFilter {
  return {
    from: from ? new Date(from) : undefined,
    to: to ? new Date(to) : undefined,
    actor,
    action,
    subject,
    subjectId,
  };
}

async function* rowsOf(pages: AsyncIterable<AuditEntry[]>): AsyncGenerator<unknown[][]> {
  for await (const entries of pages) yield entries.map((entry) => COLUMNS.map((column) => entry[column]));
}
