import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, systemFunction, tenantTable } from './tenant-table.js';

/** What a run was asked for and how far it has come, so that any process can go on with it. */
const REQUEST = `
  ALTER TABLE ai_runs
    ADD COLUMN filter jsonb,
    ADD COLUMN record_limit int,
    ADD COLUMN priority text,
    -- Where the next page of records starts.
    ADD COLUMN cursor text,
    ADD COLUMN queueing boolean NOT NULL DEFAULT false,
    ADD COLUMN lease_owner uuid,
    ADD COLUMN lease_until timestamptz;
  CREATE INDEX ai_runs_queueing ON ai_runs (lease_until) WHERE queueing;`;

/**
 * Which jobs a run counts. Rows of their own and not an array on the job: jobs without a run cost nothing more, a job
 * that several runs want is one of each, and a job that is cleared away is still counted.
 */
const MEMBERS = `
  CREATE TABLE ai_run_jobs (
    tenant_id text NOT NULL,
    run_id uuid NOT NULL,
    job_id uuid NOT NULL,
    -- Jobs whose place this one took: what they cost counts, how they ended does not.
    earlier uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, run_id, job_id),
    FOREIGN KEY (tenant_id, run_id) REFERENCES ai_runs ON DELETE CASCADE
  );
  CREATE INDEX ai_run_jobs_job ON ai_run_jobs (tenant_id, job_id);
  DROP INDEX ai_jobs_run;`;

/** The jobs of runs that are there already; the system role alone sees those of all tenants. */
const FILL_MEMBERS = `
  GRANT INSERT ON ai_run_jobs TO fieldsmith_system;
  SET LOCAL ROLE fieldsmith_system;
  INSERT INTO ai_run_jobs (tenant_id, run_id, job_id)
  SELECT j.tenant_id, j.run_id, j.id FROM ai_jobs j
    JOIN ai_runs r ON r.tenant_id = j.tenant_id AND r.id = j.run_id AND r.field = j.field;
  RESET ROLE;
  REVOKE INSERT ON ai_run_jobs FROM fieldsmith_system;`;

/** Gives one run that nobody queues any more to the caller. A page that is being queued has its run locked. */
const TAKE_RUN = `
  CREATE FUNCTION ai_take_run(p_owner uuid, p_lease_ms int) RETURNS TABLE (tenant_id text, id uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  #variable_conflict use_column
  DECLARE r ai_runs;
  BEGIN
    SELECT * INTO r FROM ai_runs o WHERE o.queueing AND o.lease_until < clock_timestamp()
     ORDER BY o.lease_until LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY
    UPDATE ai_runs o SET lease_owner = p_owner, lease_until = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
     WHERE o.tenant_id = r.tenant_id AND o.id = r.id RETURNING o.tenant_id, o.id;
  END $$;`;

/** Runs that survive the process that queues them, and count every job they want. */
export class GenerationRuns1700000010000 implements MigrationInterface {
  name = 'GenerationRuns1700000010000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(REQUEST);
    await db.query(MEMBERS);
    await db.query(systemAccess('ai_runs', 'SELECT, UPDATE'));
    await db.query(FILL_MEMBERS);
    await db.query(tenantTable('ai_run_jobs'));
    await db.query(systemAccess('ai_run_jobs', 'SELECT, UPDATE'));
    await db.query(TAKE_RUN);
    await db.query(systemFunction('ai_take_run(uuid, int)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION ai_take_run(uuid, int);
      REVOKE ALL ON ai_runs FROM fieldsmith_system;
      DROP POLICY system_rows ON ai_runs;
      DROP TABLE ai_run_jobs;
      CREATE INDEX ai_jobs_run ON ai_jobs (tenant_id, run_id) WHERE run_id IS NOT NULL;
      ALTER TABLE ai_runs DROP COLUMN filter, DROP COLUMN record_limit, DROP COLUMN priority, DROP COLUMN cursor, DROP COLUMN queueing,
        DROP COLUMN lease_owner, DROP COLUMN lease_until`);
  }
}
