/** The role that every statement of the application runs as: it owns no table and bypasses no policy. */
export const APP_ROLE = 'fieldsmith_app';

/**
 * The NOLOGIN role that owns the few cross-tenant functions; it has policies of its own on just the tables they need.
 * Data migrations use it too: under forced row-level security the owner of a table sees none of its rows.
 */
export const SYSTEM_ROLE = 'fieldsmith_system';

/** Name of the setting that holds the tenant of the current transaction. */
export const TENANT_SETTING = 'app.tenant_id';
