import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemFunction } from './tenant-table.js';

/**
 * Ends the hand-over of jobs whose hints did not arrive, or of all where nobody knows which arrived: they are due again at
 * once. A hint that arrived all the same finds its job claimed or claims it. Rows that are being claimed are left alone.
 */
const TAKE_BACK = `
  CREATE FUNCTION ai_take_back_jobs(p_jobs jsonb) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE v_count int;
  BEGIN
    IF p_jobs IS NULL THEN
      UPDATE ai_jobs SET handed_until = NULL WHERE (tenant_id, id) IN (
        SELECT o.tenant_id, o.id FROM ai_jobs o WHERE o.status = 'pending' AND o.handed_until IS NOT NULL
           FOR UPDATE SKIP LOCKED);
    ELSE
      UPDATE ai_jobs SET handed_until = NULL WHERE (tenant_id, id) IN (
        SELECT o.tenant_id, o.id FROM jsonb_to_recordset(p_jobs) AS n(tenant_id text, id uuid)
          JOIN ai_jobs o ON o.tenant_id = n.tenant_id AND o.id = n.id
         WHERE o.status = 'pending' AND o.handed_until IS NOT NULL FOR UPDATE OF o SKIP LOCKED);
    END IF;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
  END $$;`;

/** What delivery through a queue outside of the database needs. */
export class Delivery1700000009000 implements MigrationInterface {
  name = 'Delivery1700000009000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TAKE_BACK);
    await db.query(systemFunction('ai_take_back_jobs(jsonb)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP FUNCTION ai_take_back_jobs(jsonb)');
  }
}
