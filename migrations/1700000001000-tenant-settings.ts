import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tenantTable } from './tenant-table.js';

/** AI settings and provider keys of a tenant. */
export class TenantSettings1700000001000 implements MigrationInterface {
  name = 'TenantSettings1700000001000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE ai_settings (
        tenant_id text PRIMARY KEY,
        settings jsonb NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE ai_provider_keys (
        tenant_id text NOT NULL,
        provider text NOT NULL,
        key_id text NOT NULL,
        sealed bytea NOT NULL,
        last_four text NOT NULL,
        base_url text,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, provider)
      );
      -- A provider that answered "too many requests" is left alone until then; tenant '*' is the global key.
      CREATE TABLE ai_key_pauses (
        tenant_id text NOT NULL,
        provider text NOT NULL,
        paused_until timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, provider)
      );
      ${tenantTable('ai_settings')}
      ${tenantTable('ai_provider_keys')}
      ${tenantTable('ai_key_pauses')}
      CREATE POLICY global_key ON ai_key_pauses TO fieldsmith_app
        USING (tenant_id = '*') WITH CHECK (tenant_id = '*');`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE ai_settings, ai_provider_keys, ai_key_pauses');
  }
}
