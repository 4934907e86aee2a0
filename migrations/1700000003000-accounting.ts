import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, systemFunction, tenantTable } from './tenant-table.js';

const TABLES = `
  CREATE TABLE ai_model_prices (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    effective_from date NOT NULL,
    price jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, provider, model, effective_from)
  );

  CREATE TABLE ai_budget_limits (
    tenant_id text NOT NULL,
    scope text NOT NULL CHECK (scope IN ('user', 'field', 'tenant')),
    scope_id text NOT NULL,
    limit_nano bigint NOT NULL CHECK (limit_nano >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scope, scope_id)
  );

  -- A model that cost more than was held for it rests until an admin has looked.
  CREATE TABLE ai_stopped_models (
    tenant_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    reason text NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, provider, model)
  );

  -- One row a scope and calendar month (UTC); nothing is ever reset. Kept whether or not there is a limit, so that a
  -- limit set in the middle of a month knows what was spent before.
  CREATE TABLE ai_budgets (
    tenant_id text NOT NULL,
    scope text NOT NULL,
    scope_id text NOT NULL,
    period date NOT NULL,
    limit_nano bigint,
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    spent bigint NOT NULL DEFAULT 0,
    unconfirmed bigint NOT NULL DEFAULT 0 CHECK (unconfirmed >= 0),
    PRIMARY KEY (tenant_id, scope, scope_id, period)
  ) WITH (fillfactor = 50);

  -- One row a call from its hold until a small job has moved it into the budgets: this table is that job's queue.
  CREATE TABLE ai_holds (
    tenant_id text NOT NULL,
    job_id uuid NOT NULL,
    attempt int NOT NULL,
    n int NOT NULL,
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'settled', 'released', 'unconfirmed')),
    period date NOT NULL,
    user_id text,
    field_key text,
    amount bigint NOT NULL,
    cost bigint,
    dims jsonb NOT NULL,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, job_id, attempt, n)
  ) WITH (fillfactor = 80);
  CREATE INDEX ai_holds_done ON ai_holds (tenant_id) WHERE state <> 'held';

  CREATE TABLE ai_ledger (
    tenant_id text NOT NULL,
    held_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    attempt int NOT NULL,
    n int NOT NULL,
    entry text NOT NULL CHECK (entry IN ('settled', 'released', 'unconfirmed', 'unconfirmed_released', 'free')),
    principal_id text,
    pipeline_id text,
    record_id text,
    field text,
    operation text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    key_source text NOT NULL CHECK (key_source IN ('tenant', 'global', 'simulator', 'none')),
    price_id text,
    hold_nano bigint NOT NULL DEFAULT 0,
    cost_nano bigint,
    input_tokens bigint NOT NULL DEFAULT 0,
    cache_read_tokens bigint NOT NULL DEFAULT 0,
    cache_write_5m_tokens bigint NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    tool_calls jsonb,
    duration_ms int,
    outcome text NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, held_at, job_id, attempt, n, entry)
  ) PARTITION BY RANGE (held_at);
  CREATE INDEX ai_ledger_report ON ai_ledger (tenant_id, held_at, field);
  CREATE TABLE ai_ledger_default PARTITION OF ai_ledger DEFAULT;`;

const LEDGER_MONTHS = `
  CREATE FUNCTION ai_ensure_ledger_months(p_from date, p_months int) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE month date; made int := 0; part text;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ai_ensure_ledger_months'));
    FOR i IN 0..p_months LOOP
      month := (date_trunc('month', p_from) + make_interval(months => i))::date;
      part := 'ai_ledger_' || to_char(month, 'YYYY_MM');
      IF to_regclass('public.' || part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF ai_ledger FOR VALUES FROM (%L) TO (%L)',
          part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
      END IF;
    END LOOP;
    RETURN made;
  END $$;`;

/**
 * Places one call's hold in every scope that applies, in the lock order user, field, tenant, creating rows that are not
 * there. The condition stands on the insert branch and on the conflict branch; a condition in a sub-select would read a
 * stale snapshot and overspend. Where one scope refuses, the others' amounts are taken back: their rows are ours.
 *
 * Returns `held`, `exceeded:<scope>` (does not fit even with nothing held), `wait` (only other holds stand in the way),
 * `unpriced` (no amount can be named and a limit applies) or `model_stopped`.
 */
const PLACE_HOLD = `
  CREATE FUNCTION ai_place_hold(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_amount bigint, p_user text, p_field text, p_dims jsonb
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    v_period date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_amount bigint := coalesce(p_amount, 0);
    v_scopes text[] := ARRAY['user', 'field', 'tenant'];
    v_ids text[] := ARRAY[p_user, p_field, 'self'];
    v_limits bigint[];
    v_placed text[];
    v_wanted int;
    v_exceeded text;
  BEGIN
    PERFORM set_config('app.tenant_id', p_tenant, true);
    IF EXISTS (SELECT FROM ai_stopped_models WHERE tenant_id = p_tenant
                AND provider = p_dims->>'provider' AND model = p_dims->>'model') THEN
      RETURN 'model_stopped';
    END IF;

    SELECT array_agg(l.limit_nano ORDER BY s.rank), count(s.id) INTO v_limits, v_wanted
      FROM unnest(v_scopes, v_ids) WITH ORDINALITY AS s(scope, id, rank)
      LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id;
    IF p_amount IS NULL AND array_remove(v_limits, NULL) <> '{}' THEN RETURN 'unpriced'; END IF;

    WITH placed AS (
      INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, limit_nano, held)
      SELECT p_tenant, s.scope, s.id, v_period, s.max, v_amount
        FROM unnest(v_scopes, v_ids, v_limits) WITH ORDINALITY AS s(scope, id, max, rank)
       WHERE s.id IS NOT NULL AND (s.max IS NULL OR v_amount <= s.max)
       ORDER BY s.rank
      ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
         SET held = b.held + excluded.held, limit_nano = excluded.limit_nano
       WHERE excluded.limit_nano IS NULL OR b.spent + b.held + excluded.held <= excluded.limit_nano
      RETURNING b.scope
    ) SELECT coalesce(array_agg(scope), '{}') INTO v_placed FROM placed;

    IF cardinality(v_placed) < v_wanted THEN
      UPDATE ai_budgets b SET held = b.held - v_amount
        FROM unnest(v_scopes, v_ids) AS s(scope, id)
       WHERE b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
         AND s.scope = ANY (v_placed);
      SELECT s.scope INTO v_exceeded
        FROM unnest(v_scopes, v_ids, v_limits) WITH ORDINALITY AS s(scope, id, max, rank)
        LEFT JOIN ai_budgets b ON b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
       WHERE s.id IS NOT NULL AND s.max IS NOT NULL AND coalesce(b.spent, 0) + v_amount > s.max
       ORDER BY s.rank LIMIT 1;
      RETURN CASE WHEN v_exceeded IS NULL THEN 'wait' ELSE 'exceeded:' || v_exceeded END;
    END IF;

    INSERT INTO ai_holds (tenant_id, job_id, attempt, n, period, user_id, field_key, amount, dims)
    VALUES (p_tenant, p_job, p_attempt, p_n, v_period, p_user, p_field, v_amount, p_dims);
    RETURN 'held';
  END $$;`;

/**
 * Marks holds as settled, released or unconfirmed and writes their ledger rows; the budgets follow in batches. A call
 * is settled once: repeating it changes nothing. A call that was given up as unconfirmed and answers after all is
 * corrected by two further ledger rows.
 */
const SETTLE_CALLS = `
  CREATE FUNCTION ai_settle_calls(p_tenant text, p_calls jsonb) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE c record; h ai_holds;
  BEGIN
    FOR c IN
      SELECT * FROM jsonb_to_recordset(p_calls) AS c(
        job_id uuid, attempt int, n int, state text, cost bigint, input bigint, cache_read bigint,
        cache_write_5m bigint, cache_write_1h bigint, output bigint, tool_calls jsonb, duration_ms int, outcome text)
    LOOP
      SELECT * INTO h FROM ai_holds
       WHERE tenant_id = p_tenant AND job_id = c.job_id AND attempt = c.attempt AND n = c.n FOR UPDATE;
      IF NOT FOUND OR h.state <> 'held' THEN
        PERFORM ai_correct_unconfirmed(p_tenant, c.job_id, c.attempt, c.n, c.state, c.cost);
      END IF;
      IF h.state = 'held' THEN
        UPDATE ai_holds SET state = c.state, cost = c.cost
         WHERE tenant_id = p_tenant AND job_id = c.job_id AND attempt = c.attempt AND n = c.n;
      END IF;
      IF h.state IS DISTINCT FROM 'held' AND NOT EXISTS (
           SELECT FROM ai_ledger WHERE tenant_id = p_tenant AND job_id = c.job_id AND attempt = c.attempt
              AND n = c.n AND entry = 'unconfirmed_released') THEN
        CONTINUE;
      END IF;
      INSERT INTO ai_ledger (tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, record_id, field,
        operation, provider, model, key_source, price_id, hold_nano, cost_nano, input_tokens, cache_read_tokens,
        cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, tool_calls, duration_ms, outcome)
      SELECT p_tenant, k.held_at, c.job_id, c.attempt, c.n, c.state, k.dims->>'principal_id', k.dims->>'pipeline_id',
        k.dims->>'record_id', k.dims->>'field', k.dims->>'operation', k.dims->>'provider', k.dims->>'model',
        k.dims->>'key_source', k.dims->>'price_id', k.amount,
        CASE c.state WHEN 'released' THEN 0 WHEN 'unconfirmed' THEN k.amount ELSE c.cost END,
        coalesce(c.input, 0), coalesce(c.cache_read, 0), coalesce(c.cache_write_5m, 0), coalesce(c.cache_write_1h, 0),
        coalesce(c.output, 0), c.tool_calls, c.duration_ms, c.outcome
        FROM (SELECT h.held_at, h.dims, h.amount WHERE h.held_at IS NOT NULL
              UNION ALL
              SELECT l.held_at, to_jsonb(l), l.hold_nano FROM ai_ledger l
               WHERE h.held_at IS NULL AND l.tenant_id = p_tenant AND l.job_id = c.job_id AND l.attempt = c.attempt
                 AND l.n = c.n AND l.entry = 'unconfirmed') k
      ON CONFLICT DO NOTHING;
      IF c.state = 'settled' AND c.cost > h.amount AND h.dims->>'price_id' IS NOT NULL THEN
        INSERT INTO ai_stopped_models (tenant_id, provider, model, reason)
        VALUES (p_tenant, h.dims->>'provider', h.dims->>'model',
                format('A call cost %s nano-USD, more than the %s held for it.', c.cost, h.amount))
        ON CONFLICT DO NOTHING;
      END IF;
    END LOOP;
  END $$;

  -- Undoes an unconfirmed entry, in the ledger and in the budgets; does nothing where there is none.
  CREATE FUNCTION ai_correct_unconfirmed(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_state text, p_cost bigint
  ) RETURNS boolean LANGUAGE plpgsql AS $$
  DECLARE l ai_ledger; v_moved boolean; v_cost bigint := CASE WHEN p_state = 'settled' THEN coalesce(p_cost, 0) ELSE 0 END;
  BEGIN
    SELECT * INTO l FROM ai_ledger
     WHERE tenant_id = p_tenant AND job_id = p_job AND attempt = p_attempt AND n = p_n AND entry = 'unconfirmed';
    IF NOT FOUND OR p_state = 'unconfirmed' THEN RETURN false; END IF;
    l.entry := 'unconfirmed_released';
    l.cost_nano := -l.cost_nano;
    l.outcome := 'corrected';
    l.settled_at := clock_timestamp();
    INSERT INTO ai_ledger SELECT l.* ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE ai_holds SET state = p_state, cost = p_cost
     WHERE tenant_id = p_tenant AND job_id = p_job AND attempt = p_attempt AND n = p_n AND state = 'unconfirmed';
    IF FOUND THEN RETURN true; END IF;
    PERFORM FROM ai_budgets b
      WHERE b.tenant_id = p_tenant AND b.period = date_trunc('month', l.held_at AT TIME ZONE 'UTC')::date
        AND (b.scope, b.scope_id) IN (('user', l.principal_id), ('field', l.pipeline_id || ':' || l.field), ('tenant', 'self'))
      ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope) FOR UPDATE;
    UPDATE ai_budgets b SET spent = spent - l.hold_nano + v_cost, unconfirmed = greatest(0, unconfirmed - l.hold_nano)
     WHERE b.tenant_id = p_tenant AND b.period = date_trunc('month', l.held_at AT TIME ZONE 'UTC')::date
       AND (b.scope, b.scope_id) IN (('user', l.principal_id), ('field', l.pipeline_id || ':' || l.field), ('tenant', 'self'));
    RETURN true;
  END $$;`;

/**
 * Moves finished holds of one tenant into its budgets. All budget rows are locked first, in the order user, field,
 * tenant; holds that another process is moving are skipped. Until a hold is moved it counts in full as held, so
 * spent plus held never falls below the truth.
 */
const APPLY_SETTLEMENTS = `
  CREATE FUNCTION ai_apply_settlements(p_tenant text, p_limit int) RETURNS int LANGUAGE plpgsql AS $$
  DECLARE v_holds ai_holds[];
  BEGIN
    PERFORM set_config('app.tenant_id', p_tenant, true);
    SELECT array_agg(h) INTO v_holds FROM (
      SELECT * FROM ai_holds WHERE tenant_id = p_tenant AND state <> 'held' LIMIT p_limit FOR UPDATE SKIP LOCKED) h;
    IF v_holds IS NULL THEN RETURN 0; END IF;

    PERFORM FROM ai_budgets b
      JOIN (SELECT DISTINCT h.period, s.scope, s.id FROM unnest(v_holds) h,
              LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)) k
        ON b.tenant_id = p_tenant AND b.scope = k.scope AND b.scope_id = k.id AND b.period = k.period
     ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope), b.scope_id, b.period FOR UPDATE OF b;

    UPDATE ai_budgets b SET held = b.held - k.held, spent = b.spent + k.spent, unconfirmed = b.unconfirmed + k.unconfirmed
      FROM (SELECT h.period, s.scope, s.id, sum(h.amount) AS held,
                   sum(CASE h.state WHEN 'settled' THEN coalesce(h.cost, 0) WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS spent,
                   sum(CASE h.state WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS unconfirmed
              FROM unnest(v_holds) h,
                   LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)
             WHERE s.id IS NOT NULL GROUP BY 1, 2, 3) k
     WHERE b.tenant_id = p_tenant AND b.scope = k.scope AND b.scope_id = k.id AND b.period = k.period;

    DELETE FROM ai_holds d USING unnest(v_holds) h
     WHERE d.tenant_id = p_tenant AND d.job_id = h.job_id AND d.attempt = h.attempt AND d.n = h.n;
    RETURN cardinality(v_holds);
  END $$;

  CREATE FUNCTION ai_tenants_to_settle(p_limit int) RETURNS SETOF text
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT tenant_id FROM ai_holds WHERE state <> 'held' LIMIT p_limit
  $$;`;

/** Money: prices a tenant adds, limits, budgets by month, holds, and the ledger partitioned by the month of the hold. */
export class Accounting1700000003000 implements MigrationInterface {
  name = 'Accounting1700000003000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    for (const table of ['ai_model_prices', 'ai_budget_limits', 'ai_stopped_models'])
      await db.query(tenantTable(table));
    await db.query(tenantTable('ai_budgets', 'SELECT, INSERT, UPDATE'));
    await db.query(tenantTable('ai_holds'));
    await db.query(tenantTable('ai_ledger', 'SELECT, INSERT'));
    await db.query(systemAccess('ai_holds', 'SELECT, UPDATE'));
    await db.query(systemAccess('ai_budgets', 'SELECT, UPDATE'));
    await db.query(systemAccess('ai_stopped_models', 'SELECT, INSERT'));
    await db.query(systemAccess('ai_ledger', 'SELECT, INSERT'));
    await db.query(
      `ALTER TABLE ai_ledger OWNER TO fieldsmith_system; ALTER TABLE ai_ledger_default OWNER TO fieldsmith_system`,
    );
    for (const sql of [LEDGER_MONTHS, PLACE_HOLD, SETTLE_CALLS, APPLY_SETTLEMENTS]) await db.query(sql);
    await db.query(systemFunction('ai_ensure_ledger_months(date, int)'));
    await db.query(systemFunction('ai_tenants_to_settle(int)'));
    await db.query(`SELECT ai_ensure_ledger_months(current_date, 3)`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION ai_ensure_ledger_months(date, int), ai_tenants_to_settle(int), ai_apply_settlements(text, int),
        ai_settle_calls(text, jsonb), ai_correct_unconfirmed(text, uuid, int, int, text, bigint),
        ai_place_hold(text, uuid, int, int, bigint, text, text, jsonb);
      DROP TABLE ai_ledger, ai_holds, ai_budgets, ai_budget_limits, ai_model_prices, ai_stopped_models`);
  }
}
