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
    -- When the limit was set that this is, as updated_at of the limit has it.
    limit_set_at timestamptz,
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
    -- The provider key whose slot this call takes; set only where a limit of calls at once applies to it.
    key text,
    held_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, job_id, attempt, n)
  ) WITH (fillfactor = 80);
  CREATE INDEX ai_holds_key ON ai_holds (key) WHERE state = 'held' AND key IS NOT NULL;
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

/** The limit that was set last, in `ai_place_hold`: told by the budget where it was set while the statement waited for that. */
const NEWEST = `CASE WHEN b.limit_set_at > coalesce(excluded.limit_set_at, '-infinity') THEN b.limit_nano ELSE excluded.limit_nano END`;

/**
 * Places one call's hold in every scope that applies, in the lock order user, field, tenant, creating rows that are not
 * there. The condition stands on the insert branch and on the conflict branch; a condition in a sub-select would read a
 * stale snapshot and overspend. Where one scope refuses, the others' amounts are taken back: their rows are ours.
 *
 * Returns `held`, `exceeded:<scope>` (does not fit even with nothing held), `wait` (only other holds stand in the way),
 * `unpriced` (no amount can be named and a limit applies), `model_stopped`, or `key_busy`: the provider's key has a limit
 * of calls at once (`p_key_limit`), and no slot of it is free for this tenant.
 */
const PLACE_HOLD = `
  CREATE FUNCTION ai_place_hold(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_amount bigint, p_user text, p_field text, p_dims jsonb,
    p_key text DEFAULT NULL, p_key_limit int DEFAULT NULL
  ) RETURNS text LANGUAGE plpgsql AS $$
  DECLARE
    v_period date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_amount bigint := coalesce(p_amount, 0);
    v_scopes text[] := ARRAY['user', 'field', 'tenant'];
    v_ids text[] := ARRAY[p_user, p_field, 'self'];
    v_wanted int := 3 - (p_user IS NULL)::int - (p_field IS NULL)::int;
    v_placed text[];
    v_exceeded text;
  BEGIN
    PERFORM set_config('app.tenant_id', p_tenant, true);
    IF EXISTS (SELECT FROM ai_stopped_models WHERE tenant_id = p_tenant
                AND provider = p_dims->>'provider' AND model = p_dims->>'model') THEN
      RETURN 'model_stopped';
    END IF;
    IF p_key IS NOT NULL AND NOT ai_key_has_room(p_tenant, p_key, p_key_limit, p_job, p_n) THEN
      RETURN 'key_busy';
    END IF;

    IF p_amount IS NULL AND EXISTS (
         SELECT FROM unnest(v_scopes, v_ids) AS s(scope, id)
           JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id) THEN
      RETURN 'unpriced';
    END IF;

    WITH placed AS (
      INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, limit_nano, limit_set_at, held)
      SELECT p_tenant, s.scope, s.id, v_period, l.limit_nano, l.updated_at, v_amount
        FROM unnest(v_scopes, v_ids) WITH ORDINALITY AS s(scope, id, rank)
        LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id
       WHERE s.id IS NOT NULL AND (l.limit_nano IS NULL OR v_amount <= l.limit_nano)
       ORDER BY s.rank
      ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
         SET held = b.held + excluded.held, limit_nano = ${NEWEST}
       WHERE (b.spent + b.held + excluded.held <= ${NEWEST}) IS NOT FALSE
      RETURNING b.scope
    ) SELECT coalesce(array_agg(scope), '{}') INTO v_placed FROM placed;

    IF cardinality(v_placed) < v_wanted THEN
      UPDATE ai_budgets b SET held = b.held - v_amount
        FROM unnest(v_scopes, v_ids) AS s(scope, id)
       WHERE b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
         AND s.scope = ANY (v_placed);
      SELECT s.scope INTO v_exceeded
        FROM unnest(v_scopes, v_ids) WITH ORDINALITY AS s(scope, id, rank)
        JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id
        LEFT JOIN ai_budgets b ON b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
       WHERE coalesce(b.spent, 0) + v_amount > l.limit_nano
       ORDER BY s.rank LIMIT 1;
      RETURN CASE WHEN v_exceeded IS NULL THEN 'wait' ELSE 'exceeded:' || v_exceeded END;
    END IF;

    INSERT INTO ai_holds (tenant_id, job_id, attempt, n, period, user_id, field_key, amount, dims, key)
    VALUES (p_tenant, p_job, p_attempt, p_n, v_period, p_user, p_field, v_amount, p_dims, p_key);
    RETURN 'held';
  END $$;`;

const LEDGER_COLUMNS = `tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, record_id, field,
          operation, provider, model, key_source, price_id, hold_nano, cost_nano, input_tokens, cache_read_tokens,
          cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, tool_calls, duration_ms, outcome`;

/** The row of settlement \`c\` for a call that \`k\` tells of. */
const ledgerRow = (
  dims: string,
  amount: string,
): string => `p_tenant, k.held_at, k.job_id, k.attempt, k.n, c->>'state',
          ${dims}->>'principal_id', ${dims}->>'pipeline_id', ${dims}->>'record_id', ${dims}->>'field',
          ${dims}->>'operation', ${dims}->>'provider', ${dims}->>'model', ${dims}->>'key_source', ${dims}->>'price_id',
          ${amount}, CASE c->>'state' WHEN 'released' THEN 0 WHEN 'unconfirmed' THEN ${amount} ELSE (c->>'cost')::bigint END,
          coalesce((c->>'input')::bigint, 0), coalesce((c->>'cache_read')::bigint, 0),
          coalesce((c->>'cache_write_5m')::bigint, 0), coalesce((c->>'cache_write_1h')::bigint, 0),
          coalesce((c->>'output')::bigint, 0), nullif(c->'tool_calls', 'null'), (c->>'duration_ms')::int, c->>'outcome'`;

/** A call that was priced and cost more than its hold: the model rests until an admin has looked. */
const stopModel = (
  dims: string,
  amount: string,
): string => `INSERT INTO ai_stopped_models (tenant_id, provider, model, reason)
        SELECT p_tenant, ${dims}->>'provider', ${dims}->>'model',
               format('A call cost %s nano-USD, more than the %s held for it.', c->>'cost', ${amount})
         WHERE c->>'state' = 'settled' AND ${dims}->>'price_id' IS NOT NULL
        ON CONFLICT DO NOTHING`;

/**
 * Marks holds as settled, released or unconfirmed and writes their ledger rows; the budgets follow in batches. A call
 * is settled once: repeating it changes nothing. A call that was given up as unconfirmed and answers after all is
 * corrected by two further ledger rows.
 */
const SETTLE_CALLS = `
  CREATE FUNCTION ai_settle_calls(p_tenant text, p_calls jsonb) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE c jsonb; h ai_holds;
  BEGIN
    -- One call at a time, by its key: as a set they would be joined, and a hundred rows guessed of every list.
    FOR i IN 0..jsonb_array_length(p_calls) - 1 LOOP
      c := p_calls->i;
      WITH settled AS (
        UPDATE ai_holds SET state = c->>'state', cost = (c->>'cost')::bigint
         WHERE tenant_id = p_tenant AND job_id = (c->>'job_id')::uuid AND attempt = (c->>'attempt')::int
           AND n = (c->>'n')::int AND state = 'held'
        RETURNING *
      ), told AS (
        INSERT INTO ai_ledger (${LEDGER_COLUMNS}) SELECT ${ledgerRow('k.dims', 'k.amount')} FROM settled k
      ) SELECT * INTO h FROM settled;
      IF NOT FOUND THEN
        PERFORM ai_settle_late(p_tenant, c);
      ELSIF h.cost > h.amount THEN
        ${stopModel('h.dims', 'h.amount')};
      END IF;
    END LOOP;
  END $$;

  -- A call whose hold is settled already, or gone into the budgets: a repetition, or the answer to a call given up.
  CREATE FUNCTION ai_settle_late(p_tenant text, c jsonb) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    v_job uuid := (c->>'job_id')::uuid; v_attempt int := (c->>'attempt')::int; v_n int := (c->>'n')::int;
    k ai_ledger;
  BEGIN
    PERFORM FROM ai_holds WHERE tenant_id = p_tenant AND job_id = v_job AND attempt = v_attempt AND n = v_n FOR UPDATE;
    PERFORM ai_correct_unconfirmed(p_tenant, v_job, v_attempt, v_n, c->>'state', (c->>'cost')::bigint);
    SELECT * INTO k FROM ai_ledger WHERE tenant_id = p_tenant AND job_id = v_job AND attempt = v_attempt AND n = v_n
       AND entry = 'unconfirmed_released';
    IF NOT FOUND THEN RETURN; END IF;
    INSERT INTO ai_ledger (${LEDGER_COLUMNS}) SELECT ${ledgerRow('to_jsonb(k)', 'k.hold_nano')} ON CONFLICT DO NOTHING;
    IF (c->>'cost')::bigint > k.hold_nano THEN
      ${stopModel('to_jsonb(k)', 'k.hold_nano')};
    END IF;
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
    -- Lost with the server, it is done again: the holds are still there.
    PERFORM set_config('app.tenant_id', p_tenant, true), set_config('synchronous_commit', 'off', true);
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
        ai_settle_calls(text, jsonb), ai_settle_late(text, jsonb), ai_correct_unconfirmed(text, uuid, int, int, text, bigint),
        ai_place_hold(text, uuid, int, int, bigint, text, text, jsonb, text, int);
      DROP TABLE ai_ledger, ai_holds, ai_budgets, ai_budget_limits, ai_model_prices, ai_stopped_models`);
  }
}
