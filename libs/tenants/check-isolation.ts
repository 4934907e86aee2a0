import { FieldsmithError } from '#libs/common';
import type { DataSource } from 'typeorm';
import { APP_ROLE } from './roles.js';

interface RoleFacts {
  role: string;
  bypasses: boolean;
  owned: number;
  unforced: string[];
}

const FACTS = `
  SELECT current_user AS role,
         (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS bypasses,
         (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
             AND pg_get_userbyid(c.relowner) = current_user) AS owned,
         (SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname), '{}')
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
           WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
             AND NOT (c.relrowsecurity AND c.relforcerowsecurity)) AS unforced`;

/**
 * Makes sure at boot that tenants are kept apart: the connection runs as {@link APP_ROLE}, which neither owns tables
 * nor bypasses policies, and every table with a `tenant_id` has row-level security forced.
 *
 * @throws FieldsmithError `isolation_not_enforced` naming what is wrong.
 */
export async function checkIsolation(dataSource: DataSource): Promise<void> {
  const [facts] = await dataSource.query<RoleFacts[]>(FACTS);
  if (!facts)
    throw new FieldsmithError('isolation_not_enforced', 'The database did not tell who is connected.');
  const problem = problemOf(facts);
  if (problem) throw new FieldsmithError('isolation_not_enforced', problem);
}

function problemOf(facts: RoleFacts): string | undefined {
  if (facts.role !== APP_ROLE)
    return `The application runs as "${facts.role}" in the database; it must run as "${APP_ROLE}".`;
  if (facts.bypasses)
    return `The role "${APP_ROLE}" bypasses row-level security: ALTER ROLE ${APP_ROLE} NOSUPERUSER NOBYPASSRLS.`;
  if (facts.owned > 0)
    return `The role "${APP_ROLE}" owns ${facts.owned} tables: give them to the database owner.`;
  if (facts.unforced.length > 0) {
    return `Row-level security is not forced on ${facts.unforced.join(', ')}: ALTER TABLE … FORCE ROW LEVEL SECURITY.`;
  }
  return undefined;
}
