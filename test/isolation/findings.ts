import type { ReceivedRequest } from '#libs/llm-simulator';
import type { TestDatabase } from '../support/database.js';
import type { Owners } from './owners.js';
import type { Side } from './side.js';

/** A mention of one tenant where another one is, or nobody. */
export interface Finding {
  where: string;
  mentions: string[];
  text: string;
}

/** Every table that is not Postgres' own, whatever its schema. */
const TABLES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name,
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS owned
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
     AND n.nspname NOT IN ('information_schema', 'pg_catalog') AND n.nspname NOT LIKE 'pg\\_t%'
   ORDER BY 1`;

/** How much of a text is shown. */
const SHOWN = 600;

/** Rows that mention a tenant they do not belong to, read as the superuser; those of these tenants and of none. */
export async function rowsAstray(
  database: TestDatabase,
  owners: Owners,
  sides: readonly Side[],
): Promise<{ findings: Finding[]; rows: number }> {
  const tenants = sides.map(({ api }) => api.tenantId);
  const findings: Finding[] = [];
  let rows = 0;
  for (const { name, owned } of await database.sql<{ name: string; owned: boolean }>(TABLES)) {
    const found = owned
      ? await database.sql<{ tenant: string | null; text: string }>(
          `SELECT t.tenant_id AS tenant, t::text AS text FROM ${name} t WHERE t.tenant_id IS NULL OR t.tenant_id = ANY ($1)`,
          [tenants],
        )
      : await database.sql<{ tenant: null; text: string }>(
          `SELECT NULL AS tenant, t::text AS text FROM ${name} t`,
        );
    rows += found.length;
    for (const { tenant, text } of found) {
      const strange = [...owners.of(text)].filter(({ api }) => api.tenantId !== tenant);
      if (strange.length > 0) findings.push(finding(`a row of ${name} of tenant ${tenant}`, strange, text));
    }
  }
  return { findings, rows };
}

/** What a tenant was told of another that it had not said itself. */
export function toldOfOthers(owners: Owners, side: Side): Finding[] {
  return side.received.flatMap(({ what, text, sent }) => {
    const said = owners.of(sent);
    const strange = [...owners.of(text)].filter((other) => other !== side && !said.has(other));
    return strange.length > 0 ? [finding(`${side.mark} got, by ${what}`, strange, text)] : [];
  });
}

/** Calls of a provider that mention more than one tenant, or another one than the key's. */
export function mixedCalls(
  owners: Owners,
  sides: readonly Side[],
  requests: readonly ReceivedRequest[],
): Finding[] {
  return requests.flatMap((request) => {
    const text = JSON.stringify(request.body);
    const keyOwner = sides.find(({ keyEnd }) => keyEnd === request.api_key_last_four);
    const mentioned = [...owners.of(text)];
    const strange = keyOwner ? mentioned.filter((side) => side !== keyOwner) : mentioned.slice(1);
    if (strange.length === 0) return [];
    return [finding(`a call with the key …${request.api_key_last_four}`, strange, text)];
  });
}

function finding(where: string, sides: readonly Side[], text: string): Finding {
  return { where, mentions: sides.map(({ mark }) => mark), text: text.slice(0, SHOWN) };
}
