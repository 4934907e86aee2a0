import type { MigrationInterface, QueryRunner } from 'typeorm';
import { tenantTable } from './tenant-table.js';

const TABLES = `
  -- Thresholds of limits that were told of: once a month, and again once a higher limit is crossed anew.
  CREATE TABLE ai_budget_alerts (
    tenant_id text NOT NULL,
    scope text NOT NULL,
    scope_id text NOT NULL,
    period date NOT NULL,
    -- Per cent of the limit.
    threshold smallint NOT NULL CHECK (threshold IN (50, 80, 100)),
    limit_nano bigint NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, scope, scope_id, period, threshold)
  );`;

/** Per cent that are spent, without the overflow of a bigint. */
const crossed = (spent: string, limit: string, threshold: string): string =>
  `(${spent} > 0 AND ${spent}::numeric * 100 >= ${limit}::numeric * ${threshold})`;
const CENTS = (nano: string): string => `trim_scale((${nano}) * 0.0000001)`;

/** What waits to be moved into the budget of a scope: `held` less, and `spent` more. */
const waiting = (scope: string, id: string, asked = 'true'): string => `LATERAL (
          SELECT coalesce(sum(h.amount), 0) AS held,
                 coalesce(sum(CASE h.state WHEN 'settled' THEN coalesce(h.cost, 0) WHEN 'unconfirmed' THEN h.amount END), 0) AS spent,
                 coalesce(sum(CASE h.state WHEN 'unconfirmed' THEN h.amount END), 0) AS unconfirmed
            FROM ai_holds h
           WHERE ${asked} AND h.tenant_id = p_tenant AND h.period = v_period AND h.state <> 'held'
             AND CASE ${scope} WHEN 'user' THEN h.user_id = ${id} WHEN 'field' THEN h.field_key = ${id} ELSE true END)`;

/** The budget row of this month. */
const budget = (scope: string, id: string): string => `ai_budgets b
          ON b.tenant_id = p_tenant AND b.scope = ${scope} AND b.scope_id = ${id} AND b.period = v_period`;
const due = (scope: string, id: string, limit: string): string => `
         (${crossed('(coalesce(b.spent, 0) + w.spent)', limit, 't.threshold')}
              OR (t.threshold = 100 AND coalesce(b.spent, 0) + w.spent + p_amount > ${limit}))
         AND NOT EXISTS (SELECT FROM ai_budget_alerts a WHERE a.tenant_id = p_tenant AND a.scope = ${scope}
               AND a.scope_id = ${id} AND a.period = v_period AND a.threshold = t.threshold)`;

/**
 * Raises the alerts of this month that are due for some budgets, each as a row and an event that commit together, so that
 * whoever else looks at the same moment, or dies, changes nothing. Whoever is refused for \`p_amount\` has come to the end
 * of a limit that is never quite spent. The lock on the limit orders this and a change of it: what waited for the change
 * looks at the new limit. \`p_exact\` adds what waits to be moved. Returns the alerts as they are told, or null.
 */
const RAISE = `
  CREATE FUNCTION ai_raise_budget_alerts(
    p_tenant text, p_default_field bigint, p_scopes text[], p_ids text[], p_amount bigint DEFAULT NULL, p_exact boolean DEFAULT true
  ) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    v_period date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_alerts jsonb;
  BEGIN
    PERFORM set_config('app.tenant_id', p_tenant, true);
    -- What a higher limit has not reached yet can be crossed anew.
    DELETE FROM ai_budget_alerts a USING (
      SELECT o.scope, o.scope_id, o.threshold
        FROM unnest(p_scopes, p_ids) k(scope, id)
        JOIN ai_budget_alerts o ON o.tenant_id = p_tenant AND o.scope = k.scope AND o.scope_id = k.id AND o.period = v_period
        LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = k.scope AND l.scope_id = k.id
        LEFT JOIN ${budget('k.scope', 'k.id')}
        CROSS JOIN LATERAL (SELECT coalesce(l.limit_nano, CASE k.scope WHEN 'field' THEN p_default_field END) AS nano) now_is
        CROSS JOIN ${waiting('k.scope', 'k.id', 'p_exact')} w
       WHERE o.limit_nano < now_is.nano AND NOT ${crossed('(coalesce(b.spent, 0) + w.spent)', 'now_is.nano', 'o.threshold')}) r
     WHERE a.tenant_id = p_tenant AND a.scope = r.scope AND a.scope_id = r.scope_id AND a.period = v_period
       AND a.threshold = r.threshold;

    WITH own AS MATERIALIZED (
      SELECT l.scope, l.scope_id, l.limit_nano, t.threshold
        FROM unnest(p_scopes, p_ids) k(scope, id)
        JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = k.scope AND l.scope_id = k.id
        LEFT JOIN ${budget('k.scope', 'k.id')}
        CROSS JOIN ${waiting('k.scope', 'k.id', 'p_exact')} w
        CROSS JOIN unnest(ARRAY[50, 80, 100]) t(threshold)
       WHERE ${due('l.scope', 'l.scope_id', 'l.limit_nano')}
         FOR SHARE OF l
    ), by_default AS MATERIALIZED (
      SELECT k.scope, k.id, p_default_field, t.threshold
        FROM unnest(p_scopes, p_ids) k(scope, id)
        LEFT JOIN ${budget('k.scope', 'k.id')}
        CROSS JOIN ${waiting('k.scope', 'k.id', 'p_exact')} w
        CROSS JOIN unnest(ARRAY[50, 80, 100]) t(threshold)
       WHERE p_default_field IS NOT NULL AND k.scope = 'field' AND ${due('k.scope', 'k.id', 'p_default_field')}
         AND NOT EXISTS (SELECT FROM ai_budget_limits l WHERE l.tenant_id = p_tenant AND l.scope = k.scope AND l.scope_id = k.id)
    ), raised AS (
      INSERT INTO ai_budget_alerts (tenant_id, scope, scope_id, period, threshold, limit_nano)
      SELECT p_tenant, d.scope, d.scope_id, v_period, d.threshold, d.limit_nano
        FROM (SELECT * FROM own UNION ALL SELECT * FROM by_default) d ORDER BY d.scope, d.scope_id, d.threshold
      ON CONFLICT DO NOTHING RETURNING scope, scope_id, threshold, limit_nano
    ), figures AS (
      SELECT r.*, coalesce(b.spent, 0) + w.spent AS spent, coalesce(b.held, 0) - w.held AS held,
             coalesce(b.unconfirmed, 0) + w.unconfirmed AS unconfirmed
        FROM raised r LEFT JOIN ${budget('r.scope', 'r.scope_id')}
        CROSS JOIN ${waiting('r.scope', 'r.scope_id')} w
    ), told AS (
      INSERT INTO ai_events (tenant_id, type, payload)
      SELECT p_tenant, 'budget.alert', jsonb_build_object(
               'scope', scope, 'scope_id', scope_id, 'period', to_char(v_period, 'YYYY-MM'), 'threshold', threshold,
               'refused', ${crossed('spent', 'limit_nano', 'threshold')} IS NOT TRUE,
               'limit_cents', ${CENTS('limit_nano')}, 'spent_cents', ${CENTS('spent')}, 'held_cents', ${CENTS('held')},
               'unconfirmed_cents', ${CENTS('unconfirmed')},
               'remaining_cents', ${CENTS('greatest(0, limit_nano - spent - held)')})
        FROM figures ORDER BY scope, scope_id, threshold
      RETURNING payload
    ) SELECT jsonb_agg(payload) INTO v_alerts FROM told;
    RETURN v_alerts;
  END $$;`;

/**
 * Moves finished holds of one tenant into its budgets, as before, and raises the alerts that this brings: looked for only
 * in what was moved to and is half spent, because the rows are locked meanwhile. To look at every limit took 24 ms for 200.
 *
 * @param alerts what the migration is undone to knows none.
 */
function moveSettlements(alerts: boolean): string {
  const name = alerts
    ? 'ai_move_settlements(p_tenant text, p_limit int, p_default_field bigint, OUT moved int, OUT alerts jsonb)'
    : 'ai_apply_settlements(p_tenant text, p_limit int) RETURNS int';
  const update = `UPDATE ai_budgets b SET held = b.held - k.held, spent = b.spent + k.spent, unconfirmed = b.unconfirmed + k.unconfirmed
      FROM (SELECT h.period, s.scope, s.id, sum(h.amount) AS held,
                   sum(CASE h.state WHEN 'settled' THEN coalesce(h.cost, 0) WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS spent,
                   sum(CASE h.state WHEN 'unconfirmed' THEN h.amount ELSE 0 END) AS unconfirmed
              FROM unnest(v_holds) h,
                   LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)
             WHERE s.id IS NOT NULL GROUP BY 1, 2, 3) k
     WHERE b.tenant_id = p_tenant AND b.scope = k.scope AND b.scope_id = k.id AND b.period = k.period`;
  const noted = `WITH written AS (
    ${update} RETURNING b.scope, b.scope_id, b.spent
    ) SELECT array_agg(w.scope), array_agg(w.scope_id) INTO v_scopes, v_ids
        FROM written w LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = w.scope AND l.scope_id = w.scope_id
       WHERE w.spent >= coalesce(l.limit_nano, CASE w.scope WHEN 'field' THEN p_default_field END) / 2`;
  return `
  CREATE FUNCTION ${name} LANGUAGE plpgsql AS $$
  DECLARE v_holds ai_holds[];${alerts ? ' v_scopes text[]; v_ids text[];' : ''}
  BEGIN
    -- Lost with the server, it is done again: the holds are still there.
    PERFORM set_config('app.tenant_id', p_tenant, true), set_config('synchronous_commit', 'off', true);
    SELECT array_agg(h) INTO v_holds FROM (
      SELECT * FROM ai_holds WHERE tenant_id = p_tenant AND state <> 'held' LIMIT p_limit FOR UPDATE SKIP LOCKED) h;
    IF v_holds IS NULL THEN ${alerts ? 'moved := 0; RETURN' : 'RETURN 0'}; END IF;

    PERFORM FROM ai_budgets b
      JOIN (SELECT DISTINCT h.period, s.scope, s.id FROM unnest(v_holds) h,
              LATERAL (VALUES ('user', h.user_id), ('field', h.field_key), ('tenant', 'self')) s(scope, id)) k
        ON b.tenant_id = p_tenant AND b.scope = k.scope AND b.scope_id = k.id AND b.period = k.period
     ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope), b.scope_id, b.period FOR UPDATE OF b;

    ${alerts ? noted : update};

    DELETE FROM ai_holds d USING unnest(v_holds) h
     WHERE d.tenant_id = p_tenant AND d.job_id = h.job_id AND d.attempt = h.attempt AND d.n = h.n;
    ${
      alerts
        ? `IF v_scopes IS NOT NULL THEN
      alerts := ai_raise_budget_alerts(p_tenant, p_default_field, v_scopes, v_ids, NULL, false);
    END IF;
    moved := cardinality(v_holds)`
        : 'RETURN cardinality(v_holds)'
    };
  END $$;`;
}

const LIMIT = `coalesce(l.limit_nano, CASE s.scope WHEN 'field' THEN p_default_field END)`;

/**
 * The limit that was set last: while the statement waited for the budget's row one may have been, which it does not see. Whoever
 * sets one writes it there too. To read the limit again once the row is locked would be a statement more for each call.
 */
const NEWEST = `CASE WHEN b.limit_set_at > coalesce(excluded.limit_set_at, '-infinity') THEN b.limit_nano ELSE excluded.limit_nano END`;

/** Adds `v_amount` to what is held in every budget that has room for it, by rank; `v_placed` says in which. */
const reserve = (limit: string, { unless = 'false', then = '' } = {}): string => `WITH placed AS (
      INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, limit_nano, limit_set_at, held)
      SELECT p_tenant, s.scope, s.id, v_period, ${limit}, l.updated_at, v_amount
        FROM unnest(v_scopes, v_ids) WITH ORDINALITY AS s(scope, id, rank)
        LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id
       WHERE s.id IS NOT NULL AND (${limit} IS NULL OR v_amount <= ${limit}) AND NOT ${unless}
       ORDER BY s.rank
      ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
         SET held = b.held + excluded.held, limit_nano = ${NEWEST}
       WHERE (b.spent + b.held + excluded.held <= ${NEWEST}) IS NOT FALSE
      RETURNING b.scope
    )${then} SELECT coalesce(array_agg(scope), '{}') INTO v_placed FROM placed;`;

const STOPPED = `EXISTS (SELECT FROM ai_stopped_models WHERE tenant_id = p_tenant
                AND provider = p_dims->>'provider' AND model = p_dims->>'model')`;

/** The hold itself, in the statement that makes room for it: each further statement of a function costs every call. */
const HELD = `, held AS (
      INSERT INTO ai_holds (tenant_id, job_id, attempt, n, period, user_id, field_key, amount, dims, key)
      SELECT p_tenant, p_job, p_attempt, p_n, v_period, p_user, p_field, v_amount, p_dims, p_key
       WHERE (SELECT count(*) FROM placed) = v_wanted
    )`;

/** Takes it out again. */
const RELEASE = `UPDATE ai_budgets b SET held = b.held - v_amount
        FROM unnest(v_scopes, v_ids) AS s(scope, id)
       WHERE b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
         AND s.scope = ANY (v_placed);`;

/**
 * As before, and with a limit for fields that have none of their own. It comes with the question, because it is the
 * operator's and the same for all: nothing is read for it.
 *
 * @param withDefault what the migration is undone to has no such limit.
 */
function placeHold(withDefault: boolean): string {
  const limit = withDefault ? LIMIT : 'l.limit_nano';
  const defaulted = withDefault ? '(p_default_field IS NOT NULL AND p_field IS NOT NULL) OR' : '';
  return `
  CREATE FUNCTION ai_place_hold(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_amount bigint, p_user text, p_field text, p_dims jsonb,
    p_key text DEFAULT NULL, p_key_limit int DEFAULT NULL${withDefault ? ', p_default_field bigint DEFAULT NULL' : ''}
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
    IF p_key IS NOT NULL AND NOT ai_key_has_room(p_tenant, p_key, p_key_limit, p_job, p_n) THEN
      RETURN 'key_busy';
    END IF;

    IF p_amount IS NULL AND NOT ${STOPPED} AND (${defaulted} EXISTS (
         SELECT FROM unnest(v_scopes, v_ids) AS s(scope, id)
           JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id)) THEN
      RETURN 'unpriced';
    END IF;

    ${reserve(limit, { unless: STOPPED, then: HELD })}
    IF cardinality(v_placed) = v_wanted THEN RETURN 'held'; END IF;
    ${RELEASE}
    IF ${STOPPED} THEN RETURN 'model_stopped'; END IF;
    SELECT s.scope INTO v_exceeded
      FROM unnest(v_scopes, v_ids) WITH ORDINALITY AS s(scope, id, rank)
      LEFT JOIN ai_budget_limits l ON l.tenant_id = p_tenant AND l.scope = s.scope AND l.scope_id = s.id
      LEFT JOIN ai_budgets b ON b.tenant_id = p_tenant AND b.scope = s.scope AND b.scope_id = s.id AND b.period = v_period
     WHERE s.id IS NOT NULL AND coalesce(b.spent, 0) + v_amount > ${limit}
     ORDER BY s.rank LIMIT 1;
    RETURN CASE WHEN v_exceeded IS NULL THEN 'wait' ELSE 'exceeded:' || v_exceeded END;
  END $$;`;
}

/**
 * Places several holds in the same budgets and for the same key. Where there is room for all they are one sum; else each is
 * asked about by itself, for the ones in front may fit.
 */
const PLACE_HOLDS = `
  CREATE FUNCTION ai_place_holds(
    p_tenant text, p_user text, p_field text, p_key text, p_key_limit int, p_default_field bigint, p_calls jsonb
  ) RETURNS TABLE (place int, verdict text) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE
    v_period date := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_scopes text[] := ARRAY['user', 'field', 'tenant'];
    v_ids text[] := ARRAY[p_user, p_field, 'self'];
    v_wanted int := 3 - (p_user IS NULL)::int - (p_field IS NULL)::int;
    v_placed text[];
    v_amount bigint;
  BEGIN
    PERFORM set_config('app.tenant_id', p_tenant, true);
    IF p_key IS NOT NULL THEN
      -- Before the budgets, as one by one.
      PERFORM pg_advisory_xact_lock(7463822, hashtext(p_key));
    END IF;
    SELECT CASE WHEN count(c.amount) = count(*) THEN sum(c.amount) END INTO v_amount
      FROM jsonb_to_recordset(p_calls) AS c(amount bigint);
    IF p_key IS NULL AND v_amount IS NOT NULL AND NOT EXISTS (
         SELECT FROM jsonb_to_recordset(p_calls) AS c(dims jsonb) JOIN ai_stopped_models m
             ON m.tenant_id = p_tenant AND m.provider = c.dims->>'provider' AND m.model = c.dims->>'model') THEN
      ${reserve(LIMIT)}
      IF cardinality(v_placed) = v_wanted THEN
        INSERT INTO ai_holds (tenant_id, job_id, attempt, n, period, user_id, field_key, amount, dims)
        SELECT p_tenant, c.job, c.attempt, c.n, v_period, p_user, p_field, c.amount, c.dims
          FROM jsonb_to_recordset(p_calls) AS c(job uuid, attempt int, n int, amount bigint, dims jsonb);
        RETURN QUERY SELECT c.place, 'held' FROM jsonb_to_recordset(p_calls) AS c(place int);
        RETURN;
      END IF;
      ${RELEASE}
    END IF;
    -- A hold above a limit does not lock its budget, and the next one would, after those that come later in the order: all are
    -- locked first.
    v_amount := 0;
    ${reserve(LIMIT)}
    RETURN QUERY
    SELECT c.place, ai_place_hold(p_tenant, c.job, c.attempt, c.n, c.amount, p_user, p_field, c.dims, p_key, p_key_limit, p_default_field)
      FROM jsonb_to_recordset(p_calls) AS c(place int, job uuid, attempt int, n int, amount bigint, dims jsonb);
  END $$;`;

const OF_CALL = `b.tenant_id = p_tenant AND b.period = date_trunc('month', l.held_at AT TIME ZONE 'UTC')::date
        AND (b.scope, b.scope_id) IN (('user', l.principal_id), ('field', l.pipeline_id || ':' || l.field), ('tenant', 'self'))`;

/**
 * Undoes an unconfirmed entry, as before; and for a call that an admin has released and that answers after all, adds to
 * the budgets what it cost, for its ledger row follows.
 *
 * @param afterRelease what the migration is undone to knows no release.
 */
function correctUnconfirmed(afterRelease: boolean): string {
  const released = `
    IF NOT v_first THEN
      PERFORM FROM ai_budgets b WHERE ${OF_CALL}
        ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope) FOR UPDATE;
      IF v_cost > 0 AND NOT EXISTS (SELECT FROM ai_ledger WHERE tenant_id = p_tenant AND held_at = l.held_at
           AND job_id = p_job AND attempt = p_attempt AND n = p_n AND entry = 'settled') THEN
        UPDATE ai_budgets b SET spent = spent + v_cost WHERE ${OF_CALL};
      END IF;
      RETURN false;
    END IF;`;
  return `
  CREATE OR REPLACE FUNCTION ai_correct_unconfirmed(
    p_tenant text, p_job uuid, p_attempt int, p_n int, p_state text, p_cost bigint
  ) RETURNS boolean LANGUAGE plpgsql AS $$
  DECLARE
    l ai_ledger; v_first boolean;
    v_cost bigint := CASE WHEN p_state = 'settled' THEN coalesce(p_cost, 0) ELSE 0 END;
  BEGIN
    SELECT * INTO l FROM ai_ledger
     WHERE tenant_id = p_tenant AND job_id = p_job AND attempt = p_attempt AND n = p_n AND entry = 'unconfirmed';
    IF NOT FOUND OR p_state = 'unconfirmed' THEN RETURN false; END IF;
    l.entry := 'unconfirmed_released';
    l.cost_nano := -l.cost_nano;
    l.outcome := 'corrected';
    l.settled_at := clock_timestamp();
    INSERT INTO ai_ledger SELECT l.* ON CONFLICT DO NOTHING;
    v_first := FOUND;
    ${afterRelease ? released : 'IF NOT v_first THEN RETURN false; END IF;'}
    UPDATE ai_holds SET state = p_state, cost = p_cost
     WHERE tenant_id = p_tenant AND job_id = p_job AND attempt = p_attempt AND n = p_n AND state = 'unconfirmed';
    IF FOUND THEN RETURN true; END IF;
    PERFORM FROM ai_budgets b WHERE ${OF_CALL}
      ORDER BY array_position(ARRAY['user', 'field', 'tenant'], b.scope) FOR UPDATE;
    UPDATE ai_budgets b SET spent = spent - l.hold_nano + v_cost, unconfirmed = greatest(0, unconfirmed - l.hold_nano)
     WHERE ${OF_CALL};
    RETURN true;
  END $$;`;
}

const HOLD = 'ai_place_hold(text, uuid, int, int, bigint, text, text, jsonb, text, int';

/** Alerts of budgets, a limit for fields that have none, and calls of unknown outcome that an admin releases. */
export class BudgetAlerts1700000013000 implements MigrationInterface {
  name = 'BudgetAlerts1700000013000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    await db.query(tenantTable('ai_budget_alerts', 'SELECT, INSERT, DELETE'));
    await db.query(`DROP FUNCTION ${HOLD}), ai_apply_settlements(text, int)`);
    const functions = [RAISE, moveSettlements(true), placeHold(true), PLACE_HOLDS, correctUnconfirmed(true)];
    for (const sql of functions) await db.query(sql);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`DROP FUNCTION ai_place_holds, ${HOLD}, bigint), ai_move_settlements(text, int, bigint)`);
    for (const sql of [moveSettlements(false), placeHold(false), correctUnconfirmed(false)])
      await db.query(sql);
    await db.query(`
      DROP FUNCTION ai_raise_budget_alerts(text, bigint, text[], text[], bigint, boolean);
      DROP TABLE ai_budget_alerts`);
  }
}
