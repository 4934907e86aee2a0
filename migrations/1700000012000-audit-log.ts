import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tenantTable } from './tenant-table.js';

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
  ALTER TABLE ai_provider_keys ADD COLUMN last_used_at timestamptz;`;

/** The audit log and the last use of provider keys. */
export class AuditLog1700000012000 implements MigrationInterface {
  name = 'AuditLog1700000012000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    // Append-only: what the application may not do, nobody can do through it.
    await db.query(tenantTable('ai_audit_log', 'SELECT, INSERT'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE ai_provider_keys DROP COLUMN last_used_at;
      DROP TABLE ai_audit_log`);
  }
}
