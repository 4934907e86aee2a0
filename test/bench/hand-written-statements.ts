/**
 * The statements of the hand-written loop, one a step, each prepared once per connection. They keep what the product
 * guarantees: a job is claimed once and completed by its own attempt only; no budget is exceeded whatever runs beside it,
 * and a hold is on disk before the call; a value is stored unless a person or a new configuration was faster; locks are
 * taken in the order record, AI value, job, hold, ledger, execution, budgets (user, field, tenant).
 */
export const CLAIM = {
  name: 'claim',
  text: `UPDATE ai_jobs SET status = 'processing', attempt = attempt + 1, worker_id = $3, handed_until = NULL,
           started_at = clock_timestamp(), lease_until = clock_timestamp() + interval '30 seconds'
          WHERE tenant_id = $1 AND id = $2 AND status = 'pending' AND run_after <= clock_timestamp()
         RETURNING attempt, pipeline_id, record_id, field, principal_id`,
};

export const READ_RECORD = {
  name: 'read_record',
  text: `SELECT r.data, coalesce(v.revision, 0) AS revision, v.fingerprint FROM records r
           LEFT JOIN ai_values v ON v.tenant_id = r.tenant_id AND v.record_id = r.id AND v.field = $3
          WHERE r.tenant_id = $1 AND r.id = $2`,
};

export const READ_CONFIG = {
  name: 'read_config',
  text: `SELECT c.version, c.config, s.settings FROM ai_field_configs c LEFT JOIN ai_settings s ON s.tenant_id = c.tenant_id
          WHERE c.tenant_id = $1 AND c.pipeline_id = $2 AND c.field = $3`,
};

/** Places the amount in all three scopes in order, and the hold only where all of them had room. */
export const HOLD = {
  name: 'hold',
  text: `WITH placed AS (
           INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, limit_nano, held)
           SELECT $1, s.scope, s.id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, l.limit_nano, $4::bigint
             FROM (VALUES ('user', $5, 1), ('field', $6, 2), ('tenant', 'self', 3)) s(scope, id, rank)
             LEFT JOIN ai_budget_limits l ON l.tenant_id = $1 AND l.scope = s.scope AND l.scope_id = s.id
            WHERE l.limit_nano IS NULL OR $4 <= l.limit_nano ORDER BY s.rank
           ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
              SET held = b.held + excluded.held, limit_nano = excluded.limit_nano
            WHERE excluded.limit_nano IS NULL OR b.spent + b.held + excluded.held <= excluded.limit_nano
           RETURNING 1)
         INSERT INTO ai_holds (tenant_id, job_id, attempt, n, period, user_id, field_key, amount, dims)
         SELECT $1, $2, $3, 1, date_trunc('month', now() AT TIME ZONE 'UTC')::date, $5, $6, $4, '{}'
          WHERE (SELECT count(*) FROM placed) = 3
         RETURNING 1`,
};

export const STORE_IN_RECORD = {
  name: 'store_in_record',
  text: 'UPDATE records SET data = jsonb_set(data, ARRAY[$3::text], $4::jsonb) WHERE tenant_id = $1 AND id = $2 RETURNING 1',
};

export const STORE_VALUE = {
  name: 'store_value',
  text: `INSERT INTO ai_values AS v (tenant_id, pipeline_id, record_id, field, generated, generated_at, execution_id, job_id,
           fingerprint, inputs_hash, config_version, model, cost_nano, sources, outcome)
         SELECT $1, $2, $3, $4, $5, clock_timestamp(), $6, $7, $8, $9, c.version, $10, $11, $12, 'generated'
           FROM ai_field_configs c WHERE c.tenant_id = $1 AND c.pipeline_id = $2 AND c.field = $4 AND c.version = $13
         ON CONFLICT (tenant_id, record_id, field) DO UPDATE SET generated = excluded.generated,
           generated_at = excluded.generated_at, execution_id = excluded.execution_id, job_id = excluded.job_id,
           fingerprint = excluded.fingerprint, inputs_hash = excluded.inputs_hash, config_version = excluded.config_version,
           model = excluded.model, cost_nano = excluded.cost_nano, sources = excluded.sources, outcome = excluded.outcome
          WHERE v.revision = $14
         RETURNING 1`,
};

export const COMPLETE = {
  name: 'complete',
  text: `UPDATE ai_jobs SET status = 'completed', outcome = 'generated', output = $4, provider = 'openai', model = $5,
           tokens_used = $6, cost_nano = $7, lease_until = NULL, completed_at = clock_timestamp(),
           processing_time_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::int
          WHERE tenant_id = $1 AND id = $2 AND attempt = $3 AND status = 'processing'
         RETURNING 1`,
};

/** The hold becomes what the call cost. */
export const LEDGER = {
  name: 'ledger',
  text: `WITH gone AS (
           DELETE FROM ai_holds WHERE tenant_id = $1 AND job_id = $2 AND attempt = $3 AND n = 1 RETURNING held_at, amount)
         INSERT INTO ai_ledger (tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, record_id, field,
           operation, provider, model, key_source, price_id, hold_nano, cost_nano, input_tokens, output_tokens, duration_ms, outcome)
         SELECT $1, held_at, $2, $3, 1, 'settled', $4, $5, $6, $7, 'field_generation', 'openai', $8, 'global', $8, amount, $9, $10, $11,
           $12, 'answered' FROM gone
         RETURNING 1`,
};

export const EXECUTION = {
  name: 'execution',
  text: `INSERT INTO ai_executions (tenant_id, id, job_id, attempt, n, pipeline_id, record_id, field, principal_id, origin,
           provider, model, request, answer, value, stop_reason, usage, cost_nano, price_id, duration_ms, fingerprint, sources, stored)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, 'user', 'openai', $9, $10, $11, $12, $13, $14, $15, $9, $16, $17, $18, true)`,
};

/** The amount leaves what is held, and the cost is spent; the conflict branch is always the one taken. */
export const BUDGETS = {
  name: 'budgets',
  text: `INSERT INTO ai_budgets AS b (tenant_id, scope, scope_id, period, spent)
         SELECT $1, s.scope, s.id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, $3::bigint
           FROM (VALUES ('user', $4, 1), ('field', $5, 2), ('tenant', 'self', 3)) s(scope, id, rank) ORDER BY s.rank
         ON CONFLICT (tenant_id, scope, scope_id, period) DO UPDATE
            SET held = b.held - $2::bigint, spent = b.spent + excluded.spent`,
};
