import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, systemFunction, tenantTable } from './tenant-table.js';

/**
 * The position of a ledger row is the transaction that wrote it: everything below the oldest transaction still running
 * is complete, so that a late commit cannot slip in behind a reader. It is a bigint, because row-level security lets only
 * leakproof comparisons reach an index, and neither those of xid8 nor COALESCE are: a report read every row of its tenant.
 * The index takes the place of one that the primary key all but repeats: the ledger has as many to write as before.
 */
const POSITIONS = `
  ALTER TABLE ai_ledger ADD COLUMN xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
  DROP INDEX ai_ledger_report;
  CREATE INDEX ai_ledger_position ON ai_ledger (tenant_id, xid);

  -- A correction begins as a copy of the row that it corrects, and its position with it.
  CREATE FUNCTION ai_own_position() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    NEW.xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
  END $$;
  CREATE TRIGGER ai_own_position BEFORE INSERT ON ai_ledger FOR EACH ROW
    WHEN (NEW.xid IS DISTINCT FROM pg_current_xact_id()::text::bigint) EXECUTE FUNCTION ai_own_position();`;

/** One row a value of a dimension, and not of all of them together: a month by day is thirty rows, whoever spent it. */
const TABLES = `
  -- What is rolled up of a tenant's ledger: the rows up to this position and no others.
  CREATE TABLE ai_rollup_positions (
    tenant_id text PRIMARY KEY,
    xid bigint NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE ai_rollups (
    tenant_id text NOT NULL,
    dimension text NOT NULL CHECK (dimension IN ('all', 'model', 'provider', 'user', 'pipeline', 'field', 'operation')),
    -- Of the hold, in UTC.
    day date NOT NULL,
    -- Null where the dimension does not apply.
    key text,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_nano bigint NOT NULL,
    errors bigint NOT NULL,
    cached bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (tenant_id, dimension, day, key)
  ) WITH (fillfactor = 80);

  CREATE TABLE ai_model_rollups (
    tenant_id text NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL,
    answered bigint NOT NULL,
    retries bigint NOT NULL,
    -- Of calls that were answered.
    output_tokens bigint NOT NULL,
    duration_ms bigint NOT NULL,
    -- How many answers took how long, by the bucket of their time.
    times jsonb NOT NULL,
    -- How many calls failed, by the code of the error.
    errors jsonb NOT NULL,
    PRIMARY KEY (tenant_id, day, model)
  ) WITH (fillfactor = 80);`;

const COUNTS = `
  -- Sixteen buckets to each doubling: the middle of one is at most 2.2 % from any time in it.
  CREATE FUNCTION ai_time_bucket(p_ms int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN p_ms IS NOT NULL THEN floor(16 * ln(greatest(p_ms, 1)::float8) / ln(2::float8) + 1e-9)::int END
  $$;

  -- Numbers by name, added name by name.
  CREATE FUNCTION ai_add_counts(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(s.key, s.n), '{}') FROM (
      SELECT c.key, sum(c.value::bigint) AS n FROM (
        SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) c GROUP BY c.key) s
  $$;`;

/**
 * Adds the next rows of a tenant's ledger to its roll-ups and moves the position, in one transaction: a row is in the
 * roll-ups if and only if it is not above the position. A batch ends with a whole transaction, so it may be longer than
 * \`p_limit\`. Returns how many rows it took; fewer than the limit: nothing complete is left.
 */
const ROLL_UP = `
  CREATE FUNCTION ai_roll_up_ledger(p_tenant text, p_limit int) RETURNS int LANGUAGE plpgsql AS $$
  DECLARE v_from bigint; v_to bigint; v_rows int;
  BEGIN
    -- Lost with the server, it is done again: position and roll-ups are lost together.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Looked at first without the lock: mostly there is nothing.
    IF NOT EXISTS (SELECT FROM ai_ledger WHERE tenant_id = p_tenant
         AND xid > (SELECT coalesce(max(p.xid), 0) FROM ai_rollup_positions p WHERE p.tenant_id = p_tenant)) THEN RETURN 0; END IF;
    INSERT INTO ai_rollup_positions (tenant_id, xid) VALUES (p_tenant, 0) ON CONFLICT DO NOTHING;
    SELECT p.xid INTO v_from FROM ai_rollup_positions p WHERE p.tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN RETURN 0; END IF;
    SELECT n.xid INTO v_to FROM (
      SELECT l.xid FROM ai_ledger l
       WHERE l.tenant_id = p_tenant AND l.xid > v_from AND l.xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
       ORDER BY l.xid LIMIT p_limit) n ORDER BY n.xid DESC LIMIT 1;
    IF NOT FOUND THEN RETURN 0; END IF;

    WITH batch AS MATERIALIZED (
      SELECT (l.held_at AT TIME ZONE 'UTC')::date AS day, l.* FROM ai_ledger l
       WHERE l.tenant_id = p_tenant AND l.xid > v_from AND l.xid <= v_to
    ), used AS (
      INSERT INTO ai_rollups AS r (tenant_id, dimension, day, key, requests, input_tokens, output_tokens, cost_nano, errors, cached)
      SELECT p_tenant, d.dimension, b.day, d.key,
             count(*) FILTER (WHERE b.entry IN ('settled', 'released', 'unconfirmed')),
             sum(b.input_tokens + b.cache_read_tokens + b.cache_write_5m_tokens + b.cache_write_1h_tokens), sum(b.output_tokens),
             coalesce(sum(b.cost_nano), 0),
             count(*) FILTER (WHERE b.entry IN ('released', 'unconfirmed')),
             count(*) FILTER (WHERE b.entry = 'free')
        FROM batch b, LATERAL (VALUES ('all', NULL), ('model', b.model), ('provider', b.provider), ('user', b.principal_id),
               ('pipeline', b.pipeline_id), ('field', b.pipeline_id || ':' || b.field), ('operation', b.operation)) d(dimension, key)
       GROUP BY d.dimension, b.day, d.key
      ON CONFLICT (tenant_id, dimension, day, key) DO UPDATE SET requests = r.requests + excluded.requests,
        input_tokens = r.input_tokens + excluded.input_tokens, output_tokens = r.output_tokens + excluded.output_tokens,
        cost_nano = r.cost_nano + excluded.cost_nano, errors = r.errors + excluded.errors, cached = r.cached + excluded.cached
    ), cells AS (
      SELECT b.day, b.model, CASE WHEN b.outcome = 'answered' THEN ai_time_bucket(b.duration_ms) END AS bucket,
             CASE WHEN b.outcome <> 'answered' THEN b.outcome END AS code, count(*) AS n,
             count(*) FILTER (WHERE b.attempt > 1 AND b.n = 1) AS retries,
             sum(b.output_tokens) AS output_tokens, sum(b.duration_ms) AS duration_ms
        FROM batch b WHERE b.entry IN ('settled', 'released', 'unconfirmed') GROUP BY 1, 2, 3, 4
    ), performed AS (
      INSERT INTO ai_model_rollups AS r (tenant_id, day, model, requests, answered, retries, output_tokens, duration_ms, times, errors)
      SELECT p_tenant, c.day, c.model, sum(c.n), coalesce(sum(c.n) FILTER (WHERE c.code IS NULL), 0), sum(c.retries),
             coalesce(sum(c.output_tokens) FILTER (WHERE c.bucket IS NOT NULL), 0),
             coalesce(sum(c.duration_ms) FILTER (WHERE c.bucket IS NOT NULL), 0),
             coalesce(jsonb_object_agg(c.bucket, c.n) FILTER (WHERE c.bucket IS NOT NULL), '{}'),
             coalesce(jsonb_object_agg(c.code, c.n) FILTER (WHERE c.code IS NOT NULL), '{}')
        FROM cells c GROUP BY c.day, c.model
      ON CONFLICT (tenant_id, day, model) DO UPDATE SET requests = r.requests + excluded.requests,
        answered = r.answered + excluded.answered, retries = r.retries + excluded.retries,
        output_tokens = r.output_tokens + excluded.output_tokens, duration_ms = r.duration_ms + excluded.duration_ms,
        times = ai_add_counts(r.times, excluded.times), errors = ai_add_counts(r.errors, excluded.errors)
    ) SELECT count(*) INTO v_rows FROM batch;
    UPDATE ai_rollup_positions SET xid = v_to WHERE tenant_id = p_tenant;
    RETURN v_rows;
  END $$;`;

/**
 * A dump that is restored into another cluster brings positions from a future that this one has not come to; what is
 * written from then on would lie below them. Then the ledger gets positions of this cluster, and what it still has is
 * rolled up anew; months that were dropped stay as they were rolled up. Returns whether there was something to mend.
 */
const MEND = `
  CREATE FUNCTION ai_mend_ledger_positions() RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE v_first date;
  BEGIN
    IF NOT EXISTS (SELECT FROM ai_rollup_positions WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint) THEN RETURN false; END IF;
    LOCK TABLE ai_ledger IN ACCESS EXCLUSIVE MODE;
    SELECT date_trunc('month', min(held_at) AT TIME ZONE 'UTC')::date INTO v_first FROM ai_ledger;
    DELETE FROM ai_rollup_positions;
    DELETE FROM ai_rollups WHERE day >= v_first;
    DELETE FROM ai_model_rollups WHERE day >= v_first;
    UPDATE ai_ledger SET xid = pg_current_xact_id()::text::bigint WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    RETURN true;
  END $$;`;

const DROP_MONTH = `
  -- Whether nothing is to come of a month: no hold of it is left, and every row of it is in the roll-ups.
  CREATE FUNCTION ai_ledger_month_is_done(p_part text, p_month date) RETURNS boolean LANGUAGE plpgsql AS $$
  DECLARE v_tenant text := ''; v_left boolean;
  BEGIN
    IF EXISTS (SELECT FROM ai_holds h WHERE h.period <= p_month
                  OR h.held_at < (p_month + interval '1 month')::timestamp AT TIME ZONE 'UTC') THEN RETURN false; END IF;
    LOOP
      EXECUTE format('SELECT tenant_id FROM %I WHERE tenant_id > $1 ORDER BY tenant_id LIMIT 1', p_part) INTO v_tenant USING v_tenant;
      IF v_tenant IS NULL THEN RETURN true; END IF;
      EXECUTE format('SELECT EXISTS (SELECT FROM %I l WHERE l.tenant_id = $1 AND l.xid >
          (SELECT coalesce(max(p.xid), 0) FROM ai_rollup_positions p WHERE p.tenant_id = $1))', p_part) INTO v_left USING v_tenant;
      IF v_left THEN RETURN false; END IF;
    END LOOP;
  END $$;

  -- Drops the oldest month of the ledger if it is before that of \`p_before\` and done. Returns the name of its partition,
  -- or null. Whoever settles waits behind the lock, so it is asked for only briefly.
  CREATE FUNCTION ai_drop_ledger_month(p_before date) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE v_part text; v_month date;
  BEGIN
    SELECT c.relname, to_date(right(c.relname, 7), 'YYYY_MM') INTO v_part, v_month
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'ai_ledger'::regclass AND c.relname ~ '^ai_ledger_\\d{4}_\\d{2}$' ORDER BY c.relname LIMIT 1;
    IF v_part IS NULL OR v_month >= date_trunc('month', p_before) OR NOT ai_ledger_month_is_done(v_part, v_month) THEN
      RETURN NULL;
    END IF;
    PERFORM set_config('lock_timeout', '500ms', true);
    BEGIN
      LOCK TABLE ai_ledger IN ACCESS EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available THEN
      RETURN NULL;
    END;
    -- Again, now that nobody can add to it.
    IF NOT ai_ledger_month_is_done(v_part, v_month) THEN RETURN NULL; END IF;
    EXECUTE format('DROP TABLE %I', v_part);
    RETURN v_part;
  END $$;`;

/** Daily sums of the ledger for reports, kept by an incremental job; and the end of old months. */
export class RollUps1700000014000 implements MigrationInterface {
  name = 'RollUps1700000014000';

  async up(db: QueryRunner): Promise<void> {
    for (const sql of [POSITIONS, TABLES, COUNTS]) await db.query(sql);
    for (const table of ['ai_rollup_positions', 'ai_rollups', 'ai_model_rollups']) {
      await db.query(tenantTable(table, 'SELECT, INSERT, UPDATE'));
      await db.query(systemAccess(table, 'SELECT, DELETE'));
    }
    for (const sql of [ROLL_UP, MEND, DROP_MONTH]) await db.query(sql);
    await db.query(systemFunction('ai_mend_ledger_positions()'));
    await db.query(systemFunction('ai_drop_ledger_month(date)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP TRIGGER ai_own_position ON ai_ledger;
      DROP FUNCTION ai_own_position(), ai_roll_up_ledger(text, int), ai_mend_ledger_positions(), ai_drop_ledger_month(date),
        ai_ledger_month_is_done(text, date), ai_time_bucket(int), ai_add_counts(jsonb, jsonb);
      DROP TABLE ai_rollup_positions, ai_rollups, ai_model_rollups;
      DROP INDEX ai_ledger_position;
      ALTER TABLE ai_ledger DROP COLUMN xid;
      CREATE INDEX ai_ledger_report ON ai_ledger (tenant_id, held_at, field)`);
  }
}
