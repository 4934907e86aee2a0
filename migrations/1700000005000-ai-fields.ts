import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, tenantTable } from './tenant-table.js';

/**
 * Stores a generated value where nothing stands against it: the value's revision and the field's configuration are the
 * ones the worker read. Raises FS002 where a person (or reset, restore) was faster, FS003 where the configuration changed.
 */
const STORE_VALUE = `
  CREATE FUNCTION ai_store_value(p_tenant text, p_pipeline text, p_record text, p_field text, p_revision bigint,
    p_config_version int, p_value jsonb) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO ai_values AS v (tenant_id, pipeline_id, record_id, field, revision, generated, generated_at, execution_id,
      job_id, fingerprint, inputs_hash, prompt_hash, config_hash, config_version, model, cost_nano, sources, outcome)
    SELECT p_tenant, p_pipeline, p_record, p_field, 0, p_value->'value', clock_timestamp(), (p_value->>'execution_id')::uuid,
      (p_value->>'job_id')::uuid, p_value->>'fingerprint', p_value->>'inputs_hash', p_value->>'prompt_hash',
      p_value->>'config_hash', p_config_version, p_value->>'model', (p_value->>'cost_nano')::bigint,
      ARRAY(SELECT jsonb_array_elements_text(p_value->'sources')), p_value->>'outcome'
      FROM ai_field_configs c WHERE c.tenant_id = p_tenant AND c.pipeline_id = p_pipeline AND c.field = p_field
       AND c.version = p_config_version
    ON CONFLICT (tenant_id, record_id, field) DO UPDATE SET
      generated = excluded.generated, generated_at = excluded.generated_at, execution_id = excluded.execution_id,
      job_id = excluded.job_id, fingerprint = excluded.fingerprint, inputs_hash = excluded.inputs_hash,
      prompt_hash = excluded.prompt_hash, config_hash = excluded.config_hash, config_version = excluded.config_version,
      model = excluded.model, cost_nano = excluded.cost_nano, sources = excluded.sources, outcome = excluded.outcome,
      override = NULL, overridden_at = NULL, overridden_by = NULL, feedback = NULL, feedback_comment = NULL
     WHERE v.revision = p_revision;
    IF FOUND THEN RETURN; END IF;
    IF EXISTS (SELECT FROM ai_values v WHERE v.tenant_id = p_tenant AND v.record_id = p_record AND v.field = p_field
                 AND v.revision <> p_revision) THEN
      RAISE EXCEPTION 'a person changed the value meanwhile' USING ERRCODE = 'FS002';
    END IF;
    RAISE EXCEPTION 'the configuration changed meanwhile' USING ERRCODE = 'FS003';
  END $$;`;

/** Configurations of AI fields, and the plugin's own row for each value. */
export class AiFields1700000005000 implements MigrationInterface {
  name = 'AiFields1700000005000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE ai_field_configs (
        tenant_id text NOT NULL,
        pipeline_id text NOT NULL,
        field text NOT NULL,
        version int NOT NULL DEFAULT 1,
        config jsonb NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, pipeline_id, field)
      );
      CREATE TABLE ai_values (
        tenant_id text NOT NULL,
        pipeline_id text NOT NULL,
        record_id text NOT NULL,
        field text NOT NULL,
        -- Bumped by whatever a generation must not overwrite: a person's edit, a reset, a restore.
        revision bigint NOT NULL DEFAULT 0,
        generated jsonb,
        generated_at timestamptz,
        execution_id uuid,
        job_id uuid,
        fingerprint text,
        inputs_hash text,
        prompt_hash text,
        config_hash text,
        config_version int,
        model text,
        cost_nano bigint,
        outcome text,
        sources text[] NOT NULL DEFAULT '{}',
        override jsonb,
        override_sources text[],
        overridden_at timestamptz,
        overridden_by text,
        feedback text CHECK (feedback IN ('thumbs_up', 'thumbs_down')),
        feedback_comment text,
        PRIMARY KEY (tenant_id, record_id, field)
      ) WITH (fillfactor = 80);
      CREATE INDEX ai_values_pipeline ON ai_values (tenant_id, pipeline_id, field);
      ${tenantTable('ai_field_configs')}
      ${tenantTable('ai_values')}
      ${systemAccess('ai_values', 'SELECT')}
      ${STORE_VALUE}`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(
      'DROP FUNCTION ai_store_value(text, text, text, text, bigint, int, jsonb); DROP TABLE ai_values, ai_field_configs',
    );
  }
}
