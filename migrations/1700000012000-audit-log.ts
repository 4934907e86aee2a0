import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemFunction, tenantTable } from './tenant-table.js';

const TABLES = `
  -- Who changed what. Ids sort by time, so the primary key gives a tenant's entries newest first.
  CREATE TABLE ai_audit_log (
    tenant_id text NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor_id text NOT NULL,
    actor_name text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    subject_id text NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (tenant_id, id)
  );
  ALTER TABLE ai_provider_keys ADD COLUMN last_used_at timestamptz;
  GRANT SELECT (key_id) ON ai_provider_keys TO fieldsmith_system;`;

const SECRETS_TO_ROTATE = `
  CREATE FUNCTION ai_secrets_to_rotate(p_key_id text, p_after_tenant text, p_after_provider text, p_limit int)
  RETURNS TABLE (tenant_id text, provider text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant_id, k.provider FROM ai_provider_keys k
     WHERE (k.tenant_id, k.provider) > (p_after_tenant, p_after_provider) AND k.key_id <> p_key_id
     ORDER BY k.tenant_id, k.provider LIMIT p_limit
  $$;`;

/** The audit log, the last use of provider keys, and finding what an old master key has sealed. */
export class AuditLog1700000012000 implements MigrationInterface {
  name = 'AuditLog1700000012000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    // Append-only: what the application may not do, nobody can do through it.
    await db.query(tenantTable('ai_audit_log', 'SELECT, INSERT'));
    await db.query(SECRETS_TO_ROTATE);
    await db.query(systemFunction('ai_secrets_to_rotate(text, text, text, int)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION ai_secrets_to_rotate(text, text, text, int);
      REVOKE SELECT (key_id) ON ai_provider_keys FROM fieldsmith_system;
      ALTER TABLE ai_provider_keys DROP COLUMN last_used_at;
      DROP TABLE ai_audit_log`);
  }
}
