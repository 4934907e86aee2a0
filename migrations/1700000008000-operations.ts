import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemFunction } from './tenant-table.js';

/** Rows of the installation, not of a tenant: reached through the functions below alone. */
const TABLES = `
  CREATE TABLE ai_workers (
    id text PRIMARY KEY,
    slots int NOT NULL,
    busy int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp()
  ) WITH (fillfactor = 50);

  -- One row a job of the maintenance. Whoever has its lease runs it; a lease that ran out is anybody's.
  CREATE TABLE ai_maintenance (
    name text PRIMARY KEY,
    next_run timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Counts the claims: the fence against a process that comes back after its lease went to another.
    run bigint NOT NULL DEFAULT 0,
    holder text,
    lease_until timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    succeeded_at timestamptz,
    outcome text CHECK (outcome IN ('completed', 'failed', 'interrupted')),
    duration_ms int,
    result jsonb
  ) WITH (fillfactor = 50);
  GRANT SELECT, INSERT, UPDATE, DELETE ON ai_workers, ai_maintenance TO fieldsmith_system;

  -- How often the maintenance has tried a failed job anew, whatever people did.
  ALTER TABLE ai_jobs ADD COLUMN auto_retries smallint NOT NULL DEFAULT 0;

  -- Rows that few jobs have: what the maintenance looks for is found without reading all others.
  CREATE INDEX ai_jobs_of_maintenance ON ai_jobs (tenant_id, completed_at) WHERE status = 'failed' OR outcome = 'unchanged';
  CREATE INDEX ai_ledger_unconfirmed ON ai_ledger (tenant_id, job_id) WHERE entry IN ('unconfirmed', 'unconfirmed_released');`;

const WORKERS = `
  CREATE FUNCTION ai_worker_beat(p_id text, p_slots int, p_busy int) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO ai_workers AS w (id, slots, busy) VALUES (p_id, p_slots, p_busy)
    ON CONFLICT (id) DO UPDATE SET slots = excluded.slots, busy = excluded.busy, heartbeat_at = clock_timestamp()
  $$;

  CREATE FUNCTION ai_worker_gone(p_id text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM ai_workers WHERE id = p_id
  $$;

  CREATE FUNCTION ai_workers_alive(p_silent_ms int)
  RETURNS TABLE (id text, slots int, busy int, started_at timestamptz, heartbeat_at timestamptz)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.id, w.slots, w.busy, w.started_at, w.heartbeat_at FROM ai_workers w
     WHERE w.heartbeat_at > clock_timestamp() - make_interval(secs => p_silent_ms / 1000.0) ORDER BY w.started_at, w.id
  $$;

  CREATE FUNCTION ai_sweep_workers(p_silent_ms int) RETURNS SETOF text
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM ai_workers WHERE heartbeat_at < clock_timestamp() - make_interval(secs => p_silent_ms / 1000.0) RETURNING id
  $$;`;

const MAINTENANCE = `
  -- Takes the lease of the job that is due longest; of any of them, due or not, where it is forced.
  CREATE FUNCTION ai_claim_maintenance(p_names text[], p_holder text, p_lease_ms int, p_forced boolean)
  RETURNS TABLE (name text, run bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  #variable_conflict use_column
  BEGIN
    IF (SELECT count(*) FROM ai_maintenance m WHERE m.name = ANY (p_names)) < cardinality(p_names) THEN
      INSERT INTO ai_maintenance (name) SELECT unnest(p_names) ORDER BY 1 ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY
    UPDATE ai_maintenance m SET run = m.run + 1, holder = p_holder, started_at = clock_timestamp(),
       lease_until = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
      FROM (SELECT d.name FROM ai_maintenance d
             WHERE d.name = ANY (p_names) AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
               AND (p_forced OR d.next_run <= clock_timestamp())
             ORDER BY d.next_run, d.name LIMIT 1 FOR UPDATE SKIP LOCKED) due
     WHERE m.name = due.name RETURNING m.name, m.run;
  END $$;

  CREATE FUNCTION ai_renew_maintenance(p_name text, p_run bigint, p_lease_ms int) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH renewed AS (
      UPDATE ai_maintenance SET lease_until = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
       WHERE name = p_name AND run = p_run AND lease_until IS NOT NULL RETURNING 1)
    SELECT EXISTS (SELECT FROM renewed)
  $$;

  CREATE FUNCTION ai_end_maintenance(p_name text, p_run bigint, p_outcome text, p_result jsonb, p_next_ms bigint)
  RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE ai_maintenance SET lease_until = NULL, outcome = p_outcome, result = p_result, finished_at = clock_timestamp(),
       succeeded_at = CASE WHEN p_outcome = 'completed' THEN clock_timestamp() ELSE succeeded_at END,
       duration_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::int,
       next_run = clock_timestamp() + make_interval(secs => p_next_ms / 1000.0)
     WHERE name = p_name AND run = p_run
  $$;

  CREATE FUNCTION ai_maintenance_state()
  RETURNS TABLE (name text, outcome text, finished_at timestamptz, succeeded_at timestamptz, next_run timestamptz,
    duration_ms int, running boolean)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT m.name, m.outcome, m.finished_at, m.succeeded_at, m.next_run, m.duration_ms,
           coalesce(m.lease_until > clock_timestamp(), false) FROM ai_maintenance m ORDER BY m.name
  $$;

  -- The tenants that have anything which grows, after a cursor: steps from tenant to tenant along the primary keys.
  CREATE FUNCTION ai_known_tenants(p_after text, p_limit int) RETURNS SETOF text
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE v_tenant text := p_after;
  BEGIN
    FOR i IN 1..p_limit LOOP
      SELECT min(t) INTO v_tenant FROM (
        (SELECT tenant_id AS t FROM ai_jobs WHERE tenant_id > v_tenant ORDER BY tenant_id LIMIT 1)
        UNION ALL (SELECT tenant_id FROM ai_executions WHERE tenant_id > v_tenant ORDER BY tenant_id LIMIT 1)
        UNION ALL (SELECT tenant_id FROM ai_result_cache WHERE tenant_id > v_tenant ORDER BY tenant_id LIMIT 1)
        UNION ALL (SELECT tenant_id FROM ai_budgets WHERE tenant_id > v_tenant ORDER BY tenant_id LIMIT 1)) next;
      EXIT WHEN v_tenant IS NULL;
      RETURN NEXT v_tenant;
    END LOOP;
  END $$;

  DROP FUNCTION ai_drop_old_events(interval);
  CREATE FUNCTION ai_drop_old_events(p_keep interval, p_limit int) RETURNS int
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
      DELETE FROM ai_events WHERE (tenant_id, xid, seq) IN (
        SELECT tenant_id, xid, seq FROM ai_events WHERE created_at < clock_timestamp() - p_keep
         ORDER BY created_at LIMIT p_limit)
      RETURNING 1)
    SELECT count(*)::int FROM gone
  $$;`;

/**
 * What the metrics tell of the whole installation, in one round trip. The parts read the two partial indexes of pending
 * jobs and nothing of their rows, so that a backlog of a million is counted without reading it.
 */
const FIGURES = `
  CREATE FUNCTION ai_operating_figures(p_silent_ms int) RETURNS jsonb
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT jsonb_build_object(
      'lanes', (SELECT coalesce(jsonb_agg(l), '[]') FROM (
        SELECT lane, sum(pending)::int AS pending, sum(processing)::int AS processing,
               greatest(0, coalesce(extract(epoch FROM clock_timestamp() - min(due)), 0))::float8 AS oldest
          FROM (
            SELECT lane, count(*) AS pending, 0 AS processing,
                   min(run_after) FILTER (WHERE run_after <= clock_timestamp()) AS due
              FROM ai_jobs WHERE status = 'pending' AND handed_until IS NULL GROUP BY lane
            UNION ALL
            SELECT lane, count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
                   min(run_after) FILTER (WHERE status = 'pending')
              FROM ai_jobs WHERE status = 'processing' OR (status = 'pending' AND handed_until IS NOT NULL) GROUP BY lane
          ) parts GROUP BY lane) l),
      'holds', (SELECT coalesce(jsonb_object_agg(state, rows), '{}') FROM (
        SELECT CASE state WHEN 'held' THEN 'in_flight' ELSE 'to_settle' END AS state, count(*)::int AS rows
          FROM ai_holds GROUP BY 1) h),
      'workers', (SELECT jsonb_build_object('alive', count(*), 'slots', coalesce(sum(slots), 0), 'busy', coalesce(sum(busy), 0))
        FROM ai_workers_alive(p_silent_ms)),
      'maintenance', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'failed', coalesce(outcome = 'failed', false),
          'age', extract(epoch FROM clock_timestamp() - succeeded_at)::float8)), '[]') FROM ai_maintenance))
  $$;`;

/** The list of migrations belongs to the owner; whether it is complete is part of being ready. */
const SCHEMA = `
  GRANT SELECT ON migrations TO fieldsmith_system;
  CREATE FUNCTION host_migrations_run() RETURNS SETOF text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT name::text FROM migrations
  $$;`;

const FUNCTIONS = [
  'ai_worker_beat(text, int, int)',
  'ai_worker_gone(text)',
  'ai_workers_alive(int)',
  'ai_sweep_workers(int)',
  'ai_claim_maintenance(text[], text, int, boolean)',
  'ai_renew_maintenance(text, bigint, int)',
  'ai_end_maintenance(text, bigint, text, jsonb, bigint)',
  'ai_maintenance_state()',
  'ai_known_tenants(text, int)',
  'ai_drop_old_events(interval, int)',
  'ai_operating_figures(int)',
  'host_migrations_run()',
];

/** What stood before in the place of the maintenance. */
const EARLIER = `
  CREATE FUNCTION ai_drop_old_events(p_keep interval) RETURNS bigint
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (DELETE FROM ai_events WHERE created_at < now() - p_keep RETURNING 1) SELECT count(*) FROM gone
  $$;
  CREATE FUNCTION ai_clear_old_work(p_days int) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM ai_result_cache WHERE created_at < now() - least(interval '30 days', make_interval(days => p_days))
  $$;`;

/** Workers that are alive, the maintenance and who runs it, and the figures that operators watch. */
export class Operations1700000008000 implements MigrationInterface {
  name = 'Operations1700000008000';

  async up(db: QueryRunner): Promise<void> {
    for (const sql of [TABLES, WORKERS, MAINTENANCE, FIGURES, SCHEMA]) await db.query(sql);
    for (const signature of FUNCTIONS) await db.query(systemFunction(signature));
    // The maintenance clears old work tenant by tenant now, as the application.
    await db.query('DROP FUNCTION ai_clear_old_work(int)');
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION ${FUNCTIONS.join(', ')};
      REVOKE SELECT ON migrations FROM fieldsmith_system;
      DROP TABLE ai_workers, ai_maintenance;
      DROP INDEX ai_jobs_of_maintenance, ai_ledger_unconfirmed;
      ALTER TABLE ai_jobs DROP COLUMN auto_retries;
      ${EARLIER}`);
    for (const signature of ['ai_drop_old_events(interval)', 'ai_clear_old_work(int)'])
      await db.query(systemFunction(signature));
  }
}
