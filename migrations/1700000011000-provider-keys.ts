import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemFunction, tenantTable } from './tenant-table.js';

const TABLES = `
  ALTER TABLE ai_provider_keys ADD COLUMN max_concurrency int CHECK (max_concurrency BETWEEN 1 AND 1000);

  -- Keys that failed: refused, or out of quota. A key that works has no row. Tenant '*' is the global key.
  CREATE TABLE ai_key_breakers (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    -- In a row.
    failures int NOT NULL,
    opened_at timestamptz,
    -- When the next call is let through to see whether the key works again.
    probe_at timestamptz,
    reason_code text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant_id, provider)
  );

  -- Counts who was called from the lines, so that backfill gets every fifth turn.
  CREATE SEQUENCE ai_key_turns CYCLE;

  -- Those who wait in line for a key, and those who were called to it; jobs of a key that works, rests not and has no limit are in neither.
  CREATE INDEX ai_jobs_key_line ON ai_jobs (wait_key, tenant_id, lane, priority, run_after)
    WHERE wait_key IS NOT NULL AND completed_at IS NULL;`;

/** What the functions that look across tenants need to see, and no more: never the keys themselves. */
const ACCESS = `
  CREATE POLICY system_rows ON ai_provider_keys FOR SELECT TO fieldsmith_system USING (true);
  GRANT SELECT (tenant_id, provider, max_concurrency) ON ai_provider_keys TO fieldsmith_system;
  CREATE POLICY system_rows ON ai_key_pauses FOR SELECT TO fieldsmith_system USING (true);
  GRANT SELECT ON ai_key_pauses TO fieldsmith_system;
  CREATE POLICY system_rows ON ai_key_breakers FOR SELECT TO fieldsmith_system USING (true);
  GRANT SELECT ON ai_key_breakers TO fieldsmith_system;
  GRANT USAGE ON ai_key_turns TO fieldsmith_system;
  CREATE POLICY global_key ON ai_key_breakers TO fieldsmith_app
    USING (tenant_id = '*') WITH CHECK (tenant_id = '*');`;

/** Tenants with jobs in the line of key `p_key`: stepped through by the index, so that long lines cost nothing. */
const LINE = `line(t) AS (
      (SELECT j.tenant_id FROM ai_jobs j WHERE j.wait_key = p_key AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL
        ORDER BY j.tenant_id LIMIT 1)
      UNION ALL
      SELECT (SELECT j.tenant_id FROM ai_jobs j WHERE j.wait_key = p_key AND j.completed_at IS NULL AND j.status = 'pending'
                 AND j.wait_reason IS NOT NULL AND j.tenant_id > line.t ORDER BY j.tenant_id LIMIT 1)
        FROM line WHERE line.t IS NOT NULL
    )`;

/**
 * Who uses the slots of a key. A slot is used by a held call; by an attempt between two calls; and for two seconds by a
 * job that was called from the line, so that nobody is called twice for one slot, nor passed by a newcomer. The holds are
 * the slots, and not a counter: a dead worker's slot comes back with its hold.
 */
const USE = `
  CREATE FUNCTION ai_key_use(p_key text, p_but uuid) RETURNS TABLE (tenant_id text, used int)
  LANGUAGE sql STABLE AS $$
    SELECT u.tenant_id, count(*)::int FROM (
      SELECT h.tenant_id, h.job_id FROM ai_holds h WHERE h.key = p_key AND h.state = 'held'
      UNION
      SELECT j.tenant_id, j.id FROM ai_jobs j
       WHERE j.wait_key = p_key AND j.completed_at IS NULL AND (j.status = 'processing' OR j.wait_reason IS NULL)
         AND CASE WHEN j.status = 'pending' THEN j.run_after > clock_timestamp() - interval '2 seconds'
                  ELSE j.wait_reason = 'key_busy' OR j.started_at > clock_timestamp() - interval '2 seconds' END
    ) u WHERE u.job_id IS DISTINCT FROM p_but GROUP BY 1
  $$;`;

/**
 * Whether a call may have a slot of a key, exact over all processes: the lock is held until the hold stands. Tenants
 * share equally: with T of them using the key or waiting for it, nobody has more than max(1, floor(limit / T)).
 * A further call of an attempt keeps the slot of the one before. Other tenants' rows count, and only the answer is told.
 */
const HAS_ROOM = `
  CREATE FUNCTION ai_key_has_room(p_tenant text, p_key text, p_limit int, p_job uuid, p_n int) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE v_all int; v_own int; v_most int;
  BEGIN
    PERFORM pg_advisory_xact_lock(7463822, hashtext(p_key));
    SELECT coalesce(sum(used), 0), coalesce(sum(used) FILTER (WHERE tenant_id = p_tenant), 0) INTO v_all, v_own
      FROM ai_key_use(p_key, p_job);
    IF v_all >= p_limit THEN RETURN false; END IF;
    IF v_own = 0 OR p_n > 1 THEN RETURN true; END IF;
    -- The most tenants whose share is still that many slots; no need to count further.
    v_most := p_limit / (v_own + 1);
    RETURN (
      WITH RECURSIVE ${LINE}
      SELECT count(*) FROM (
        SELECT t FROM line WHERE t IS NOT NULL UNION SELECT u.tenant_id FROM ai_key_use(p_key, p_job) u
        LIMIT v_most + 1) active) <= v_most;
  END $$;`;

/**
 * A job joins the line of its key (\`wait_key\`). Whoever gives a slot back calls the next, so the time it is due by itself
 * is only a net, and one net for each step of time is enough: the first of a line is due by itself when it said, the others
 * one after the other, not all every few seconds. The tenant's other due jobs for the same field would find what this one found: they join at once,
 * without being claimed first.
 */
const JOIN_LINE = `
  CREATE FUNCTION ai_join_key_line(j ai_jobs, p_step_ms int) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE v_step interval := make_interval(secs => p_step_ms / 1000.0); v_end timestamptz; v_furthest timestamptz; v_near boolean;
  BEGIN
    v_furthest := clock_timestamp() + interval '1 hour';
    SELECT greatest(j.run_after, max(o.run_after)), coalesce(bool_or(o.run_after < j.run_after + v_step / 2), false)
      INTO v_end, v_near FROM (
        (SELECT o.run_after FROM ai_jobs o WHERE o.wait_key = j.wait_key AND o.tenant_id = j.tenant_id AND o.lane = j.lane
            AND o.priority = j.priority AND o.completed_at IS NULL AND o.status = 'pending' AND o.wait_reason IS NOT NULL AND o.id <> j.id
          ORDER BY o.run_after LIMIT 1)
        UNION ALL
        (SELECT o.run_after FROM ai_jobs o WHERE o.wait_key = j.wait_key AND o.tenant_id = j.tenant_id AND o.lane = j.lane
            AND o.priority = j.priority AND o.completed_at IS NULL AND o.status = 'pending' AND o.wait_reason IS NOT NULL AND o.id <> j.id
          ORDER BY o.run_after DESC LIMIT 1)) o;
    IF v_near THEN
      v_end := v_end + v_step;
      UPDATE ai_jobs SET run_after = least(v_end, v_furthest) WHERE tenant_id = j.tenant_id AND id = j.id;
    END IF;
    IF j.field IS NULL THEN RETURN; END IF;
    WITH due AS MATERIALIZED (
      SELECT o.id FROM ai_jobs o
       WHERE o.tenant_id = j.tenant_id AND o.lane = j.lane AND o.priority = j.priority AND o.status = 'pending'
         AND o.handed_until IS NULL AND o.run_after <= clock_timestamp()
       ORDER BY o.run_after, o.id LIMIT 500
    ), alike AS MATERIALIZED (
      SELECT o.id FROM ai_jobs o JOIN due ON o.tenant_id = j.tenant_id AND o.id = due.id
       WHERE o.status = 'pending' AND o.handed_until IS NULL AND o.wait_key IS NULL AND o.wait_reason IS NULL
         AND o.job_type = j.job_type AND o.pipeline_id = j.pipeline_id AND o.field = j.field
       ORDER BY o.run_after, o.id FOR UPDATE OF o SKIP LOCKED
    ), placed AS (
      SELECT alike.id, row_number() OVER () AS place FROM alike
    )
    UPDATE ai_jobs o SET wait_key = j.wait_key, wait_reason = j.wait_reason, error_code = j.error_code,
        error_message = j.error_message, run_after = least(v_end + p.place * v_step, v_furthest)
      FROM placed p WHERE o.tenant_id = j.tenant_id AND o.id = p.id;
  END $$;`;

/**
 * Calls the next jobs of a key's line: as many as slots are free, usually one, each of the tenant that has the fewest
 * slots, and of those the one whose first job is due earliest; edits before backfill, which keeps a fifth. While the key is
 * paused it calls nobody; while its breaker is open one job when a probe is due. Without a limit, or with the key gone, all go, a thousand at a time.
 *
 * Returns the tenants whose jobs were called. It runs after the commit of what freed the slot, in a short transaction of
 * its own, so that the lock of a key is never waited for with a job or a budget locked.
 */
const CALL_NEXT = `
  CREATE FUNCTION ai_call_next(p_provider text, p_owner text, p_limit int) RETURNS TABLE (tenant_id text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  #variable_conflict use_column
  DECLARE
    p_key text := p_provider || ':' || p_owner;
    v_limit int := p_limit;
    v_free int;
    v_id uuid;
    b ai_key_breakers;
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Looked at first without the lock: mostly nobody waits.
    IF NOT EXISTS (SELECT FROM ai_jobs j
        WHERE j.wait_key = p_key AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL) THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(7463822, hashtext(p_key));
    IF p_owner <> '*' THEN
      SELECT max_concurrency INTO v_limit FROM ai_provider_keys WHERE tenant_id = p_owner AND provider = p_provider;
    END IF;
    IF EXISTS (SELECT FROM ai_key_pauses
        WHERE tenant_id = p_owner AND provider = p_provider AND paused_until > clock_timestamp()) THEN
      RETURN;
    END IF;
    SELECT * INTO b FROM ai_key_breakers WHERE tenant_id = p_owner AND provider = p_provider AND opened_at IS NOT NULL;
    IF FOUND THEN
      IF b.probe_at > clock_timestamp() OR EXISTS (SELECT FROM ai_key_use(p_key, NULL)) THEN RETURN; END IF;
      v_limit := 1;
    ELSIF v_limit IS NULL THEN
      RETURN QUERY WITH freed AS (
        UPDATE ai_jobs j SET wait_reason = NULL, wait_key = NULL, error_code = NULL, error_message = NULL,
            run_after = clock_timestamp()
         WHERE (j.tenant_id, j.id) IN (SELECT w.tenant_id, w.id FROM ai_jobs w
           WHERE w.wait_key = p_key AND w.completed_at IS NULL AND w.status = 'pending' AND w.wait_reason IS NOT NULL
           ORDER BY w.tenant_id, w.lane, w.priority, w.run_after LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING j.tenant_id
      ) SELECT DISTINCT f.tenant_id FROM freed f;
      RETURN;
    ELSE
      UPDATE ai_jobs j SET wait_reason = 'key_busy', error_code = NULL, error_message = NULL
       WHERE (j.tenant_id, j.id) IN (SELECT w.tenant_id, w.id FROM ai_jobs w
         WHERE w.wait_key = p_key AND w.completed_at IS NULL AND w.status = 'pending' AND w.wait_reason IN ('breaker', 'rate_limit') FOR UPDATE SKIP LOCKED);
    END IF;
    LOOP
      SELECT v_limit - coalesce(sum(u.used), 0) INTO v_free FROM ai_key_use(p_key, NULL) u;
      EXIT WHEN v_free <= 0;
      WITH RECURSIVE ${LINE},
      used AS MATERIALIZED (SELECT * FROM ai_key_use(p_key, NULL)),
      active AS (SELECT count(*) AS n FROM (
        SELECT t FROM line WHERE t IS NOT NULL UNION SELECT u.tenant_id FROM used u) a)
      SELECT line.t INTO tenant_id
        FROM line CROSS JOIN active LEFT JOIN used ON used.tenant_id = line.t
        CROSS JOIN LATERAL (SELECT j.run_after FROM ai_jobs j
          WHERE j.wait_key = p_key AND j.tenant_id = line.t AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL
          ORDER BY j.lane, j.priority, j.run_after LIMIT 1) head
       WHERE coalesce(used.used, 0) < greatest(1, v_limit / active.n)
       ORDER BY coalesce(used.used, 0), head.run_after LIMIT 1;
      EXIT WHEN NOT FOUND;
      -- One that somebody is writing to is passed over: that may take as long as a host's transaction.
      v_id := NULL;
      IF nextval('ai_key_turns') % 5 = 0 THEN
        SELECT j.id INTO v_id FROM ai_jobs j
         WHERE j.wait_key = p_key AND j.tenant_id = ai_call_next.tenant_id AND j.lane = 1 AND j.completed_at IS NULL AND j.status = 'pending'
           AND j.wait_reason IS NOT NULL
         ORDER BY j.priority, j.run_after LIMIT 1 FOR UPDATE SKIP LOCKED;
      END IF;
      IF v_id IS NULL THEN
        SELECT j.id INTO v_id FROM ai_jobs j
         WHERE j.wait_key = p_key AND j.tenant_id = ai_call_next.tenant_id AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL
         ORDER BY j.lane, j.priority, j.run_after LIMIT 1 FOR UPDATE SKIP LOCKED;
      END IF;
      EXIT WHEN v_id IS NULL;
      UPDATE ai_jobs j SET wait_reason = NULL, error_code = NULL, error_message = NULL, run_after = clock_timestamp()
       WHERE j.tenant_id = ai_call_next.tenant_id AND j.id = v_id;
      RETURN NEXT;
    END LOOP;
  END $$;`;

const LINES = `
  CREATE FUNCTION ai_key_lines() RETURNS SETOF text
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE keys(key) AS (
      (SELECT j.wait_key FROM ai_jobs j
        WHERE j.wait_key IS NOT NULL AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL ORDER BY 1 LIMIT 1)
      UNION ALL
      SELECT (SELECT j.wait_key FROM ai_jobs j
               WHERE j.wait_key > keys.key AND j.completed_at IS NULL AND j.status = 'pending' AND j.wait_reason IS NOT NULL ORDER BY 1 LIMIT 1)
        FROM keys WHERE keys.key IS NOT NULL
    ) SELECT key FROM keys WHERE key IS NOT NULL
  $$;`;

/** Tells everybody whom a key's change concerns: who saw it, and who waits or waited for the key. Returns those tenants. */
const TELL = `
  CREATE FUNCTION ai_tell_key_changed(p_tenant text, p_key text, p_payload jsonb) RETURNS SETOF text
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE ${LINE}, told AS (
      INSERT INTO ai_events (tenant_id, type, payload)
      SELECT concerned.t, 'provider_key.changed', p_payload
        FROM (SELECT p_tenant AS t UNION SELECT line.t FROM line WHERE line.t IS NOT NULL UNION
              SELECT j.tenant_id FROM ai_jobs j WHERE j.wait_key = p_key AND j.completed_at IS NULL
                 AND (j.status = 'processing' OR j.wait_reason IS NULL)) concerned
      RETURNING tenant_id
    ) SELECT tenant_id FROM told
  $$;`;

/** Provider keys under stress: calls at once, the line of those who wait, and the breaker of a key that fails. */
export class ProviderKeys1700000011000 implements MigrationInterface {
  name = 'ProviderKeys1700000011000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    await db.query(tenantTable('ai_key_breakers'));
    await db.query(ACCESS);
    for (const sql of [USE, HAS_ROOM, JOIN_LINE, CALL_NEXT, LINES, TELL]) await db.query(sql);
    await db.query(systemFunction('ai_key_has_room(text, text, int, uuid, int)'));
    await db.query(systemFunction('ai_call_next(text, text, int)'));
    await db.query(systemFunction('ai_key_lines()'));
    await db.query(systemFunction('ai_tell_key_changed(text, text, jsonb)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION ai_key_has_room(text, text, int, uuid, int), ai_call_next(text, text, int), ai_key_lines(),
        ai_tell_key_changed(text, text, jsonb), ai_join_key_line(ai_jobs, int), ai_key_use(text, uuid);
      DROP POLICY system_rows ON ai_provider_keys;
      DROP POLICY system_rows ON ai_key_pauses;
      REVOKE ALL ON ai_key_pauses FROM fieldsmith_system;
      REVOKE SELECT (tenant_id, provider, max_concurrency) ON ai_provider_keys FROM fieldsmith_system;
      DROP INDEX ai_jobs_key_line;
      DROP TABLE ai_key_breakers;
      DROP SEQUENCE ai_key_turns;
      ALTER TABLE ai_provider_keys DROP COLUMN max_concurrency`);
  }
}
