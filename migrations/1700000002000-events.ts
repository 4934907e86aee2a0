import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, systemFunction, tenantTable } from './tenant-table.js';

/**
 * What happened, for screens and hosts. Rows are read in the order of the transactions that wrote them and only up to
 * the oldest one still running, so that a late commit cannot slip in behind a reader.
 */
export class Events1700000002000 implements MigrationInterface {
  name = 'Events1700000002000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE ai_events (
        tenant_id text NOT NULL,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        seq bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, xid, seq)
      );
      CREATE INDEX ai_events_age ON ai_events (created_at);
      ${tenantTable('ai_events', 'SELECT, INSERT')}
      ${systemAccess('ai_events', 'SELECT, INSERT, DELETE')}

      CREATE FUNCTION ai_drop_old_events(p_keep interval) RETURNS bigint
      LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH gone AS (DELETE FROM ai_events WHERE created_at < now() - p_keep RETURNING 1)
        SELECT count(*) FROM gone
      $$;
      ${systemFunction('ai_drop_old_events(interval)')}`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP FUNCTION ai_drop_old_events(interval); DROP TABLE ai_events');
  }
}
