/** SQL that makes a table a tenant's: row-level security forced, one policy for the application's role, its grants. */
export function tenantTable(table: string, rights = 'SELECT, INSERT, UPDATE, DELETE'): string {
  return `
    ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant_rows ON ${table} TO fieldsmith_app
      USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''))
      WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), ''));
    GRANT ${rights} ON ${table} TO fieldsmith_app;`;
}

/** SQL that lets the system role into a tenant table; give just the rights its functions need. */
export function systemAccess(table: string, rights: string): string {
  return `
    CREATE POLICY system_rows ON ${table} TO fieldsmith_system USING (true) WITH CHECK (true);
    GRANT ${rights} ON ${table} TO fieldsmith_system;`;
}

/** SQL that hands a function to the system role and lets only the application call it. */
export function systemFunction(signature: string): string {
  return `
    ALTER FUNCTION ${signature} OWNER TO fieldsmith_system;
    REVOKE ALL ON FUNCTION ${signature} FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION ${signature} TO fieldsmith_app;`;
}
