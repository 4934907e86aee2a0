import type { TestDatabase } from './database.js';

const SCHEMA = `
  SELECT 'relation' AS kind, c.oid::regclass::text AS name,
         concat_ws(' ', c.relkind, pg_get_userbyid(c.relowner), c.relacl::text, c.relrowsecurity, c.relforcerowsecurity,
           (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid::regtype, a.attnotnull), ', ' ORDER BY a.attnum)
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS what
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', pg_get_userbyid(p.proowner), p.proacl::text, md5(p.prosrc))
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'policy', concat_ws(' ', tablename, policyname), concat_ws(' ', cmd, roles::text, qual, with_check) FROM pg_policies
  ORDER BY 1, 2`;

/** Everything that migrations make, as rows that can be compared: relations, functions and policies with their rights. */
export async function schemaOf(database: TestDatabase): Promise<unknown[]> {
  return database.sql(SCHEMA);
}
