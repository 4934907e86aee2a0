import type { TestDatabase } from '../support/database.js';
import type { Side } from './side.js';

const MARK = /zq[0-9a-f]{8}[ab]/gi;
/** The same in the hexadecimal digits that bytes are written in. */
const MARK_IN_HEX = /7a71(?:3\d|6[1-6]){8}6[12]/gi;
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/** Tables with an id of their own, the tenant's beside it. */
const NAMED = `
  SELECT c.table_name AS name FROM information_schema.columns c
    JOIN information_schema.columns t USING (table_schema, table_name)
   WHERE c.table_schema = 'public' AND c.column_name = 'id' AND t.column_name = 'tenant_id'`;

/** Tells whose a text is, by the marks and ids in it. */
export class Owners {
  private readonly byMark = new Map<string, Side>();
  private readonly byId = new Map<string, Side>();

  /** Knows one thing of a tenant. */
  know(side: Side, id: string): void {
    this.byId.set(id, side);
  }

  /** Knows a tenant, its owner and everything that it has by now. */
  async learn(database: TestDatabase, side: Side): Promise<void> {
    const { tenantId, userId } = side.api;
    this.byMark.set(side.mark, side);
    for (const id of [tenantId, userId]) this.know(side, id);
    const tables = await database.sql<{ name: string }>(NAMED);
    for (const { name } of tables) {
      const rows = await database.sql<{ id: string }>(`SELECT id::text FROM "${name}" WHERE tenant_id = $1`, [
        tenantId,
      ]);
      for (const { id } of rows) this.know(side, id);
    }
  }

  /** The tenants that a text mentions. */
  of(text: string): Set<Side> {
    const found = [
      ...matches(text, MARK).map((mark) => this.byMark.get(mark)),
      ...matches(text, MARK_IN_HEX).map((hex) => this.byMark.get(Buffer.from(hex, 'hex').toString())),
      ...matches(text, ID).map((id) => this.byId.get(id)),
    ];
    return new Set(found.filter((side) => side !== undefined));
  }
}

function matches(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([match]) => match.toLowerCase());
}
