import { Injectable } from '@nestjs/common';
import { firstIdOf } from '#libs/common';
import { TenantTransactions } from '#libs/tenants';
import type { AuditEntry } from './audit-entry.js';

/** Which entries are asked for; what is left out does not matter. */
export interface AuditFilter {
  /** Inclusive. */
  from?: Date;
  /** Exclusive. */
  to?: Date;
  /** Id or name of who did it. */
  actor?: string;
  action?: string;
  subject?: string;
  subjectId?: string;
}

export interface AuditPage {
  items: AuditEntry[];
  /** The id of the last item, where there are more. */
  next_cursor: string | null;
}

type Row = Omit<AuditEntry, 'at'> & { at: Date };

/** Ids tell the time, so that a range of it is found by the primary key. */
const READ = `
  SELECT id, at, actor_id, actor_name, action, subject, subject_id, before, after FROM ai_audit_log
   WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id >= $2) AND ($3::uuid IS NULL OR id < $3)
     AND ($4::text IS NULL OR actor_id = $4 OR actor_name = $4) AND ($5::text IS NULL OR action = $5)
     AND ($6::text IS NULL OR subject = $6) AND ($7::text IS NULL OR subject_id = $7)
     AND ($8::uuid IS NULL OR id < $8)
   ORDER BY id DESC LIMIT $9`;

const CSV_PAGE = 1_000;

/** Reading the audit log, newest first. */
@Injectable()
export class AuditEntries {
  constructor(private readonly tenants: TenantTransactions) {}

  /** @param cursor the `next_cursor` of the page before. */
  async page(tenantId: string, filter: AuditFilter, limit: number, cursor?: string): Promise<AuditPage> {
    const { from, to, actor, action, subject, subjectId } = filter;
    const range = [from && firstIdOf(from), to && firstIdOf(to)];
    const values = [...range, actor, action, subject, subjectId, cursor].map((value) => value ?? null);
    const rows = await this.tenants.transaction(tenantId, (em) =>
      em.query<Row[]>(READ, [tenantId, ...values, limit + 1]),
    );
    const items = rows.slice(0, limit).map((row) => ({ ...row, at: row.at.toISOString() }));
    return { items, next_cursor: rows.length > limit ? items.at(-1)!.id : null };
  }

  /**
   * All entries, page by page, each in a transaction of its own: a slow reader holds none open.
   *
   * @returns once the first page is there, so that what is wrong with the question shows before the answer begins.
   */
  async all(tenantId: string, filter: AuditFilter): Promise<AsyncIterable<AuditEntry[]>> {
    const read = (cursor?: string) => this.page(tenantId, filter, CSV_PAGE, cursor);
    const first = await read();
    return (async function* () {
      let page = first;
      yield page.items;
      while (page.next_cursor !== null) {
        page = await read(page.next_cursor);
        yield page.items;
      }
    })();
  }
}
