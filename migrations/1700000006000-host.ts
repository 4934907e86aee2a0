import type { MigrationInterface, QueryRunner } from 'typeorm';
import { systemAccess, systemFunction, tenantTable } from './tenant-table.js';

const TABLES = `
  CREATE TABLE tenants (
    tenant_id text PRIMARY KEY,
    name text NOT NULL,
    -- When the demo tenant got all of its demo, so that it gets it once.
    demo_seeded_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE users (
    tenant_id text NOT NULL REFERENCES tenants,
    id text NOT NULL,
    email text NOT NULL CHECK (email = lower(email)),
    password_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    -- A token names the version it was given under; a new password or role makes all older ones worthless.
    token_version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
  );
  -- Over all tenants: people sign in with their e-mail alone.
  CREATE UNIQUE INDEX users_email ON users (email);

  CREATE SEQUENCE pipeline_versions;
  GRANT USAGE ON SEQUENCE pipeline_versions TO fieldsmith_app;
  CREATE TABLE pipelines (
    tenant_id text NOT NULL REFERENCES tenants,
    id text NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    -- Changes with the name, any field and any AI configuration: what is cached of a pipeline is cached under it. Of a
    -- sequence, so that a version that was rolled back never comes again with something else under it.
    version bigint NOT NULL DEFAULT nextval('pipeline_versions'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
  );
  CREATE UNIQUE INDEX pipelines_slug ON pipelines (tenant_id, slug);
  CREATE TABLE pipeline_fields (
    tenant_id text NOT NULL,
    pipeline_id text NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    field_type text NOT NULL,
    required boolean NOT NULL,
    sensitive boolean NOT NULL,
    options jsonb NOT NULL,
    position int NOT NULL,
    PRIMARY KEY (tenant_id, pipeline_id, slug),
    FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipelines (tenant_id, id)
  );
  -- Values are one jsonb, so that a save or an AI value writes the keys it names and nothing else, and a tenant's
  -- fields need no DDL. Room in each page keeps updates of a record on its page (no index entry changes).
  CREATE TABLE records (
    tenant_id text NOT NULL,
    id text NOT NULL,
    pipeline_id text NOT NULL,
    data jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, pipeline_id) REFERENCES pipelines (tenant_id, id)
  ) WITH (fillfactor = 80);
  CREATE INDEX records_pipeline ON records (tenant_id, pipeline_id, id);`;

/** Who signs in is not known to belong to a tenant yet: the two look-ups that run before one is set. */
const SIGN_IN = `
  CREATE FUNCTION host_find_login(p_email text)
  RETURNS TABLE (tenant_id text, tenant_name text, user_id text, password_hash text, role text, token_version int)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.tenant_id, t.name, u.id, u.password_hash, u.role, u.token_version
      FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id WHERE u.email = p_email
  $$;

  CREATE FUNCTION host_find_principal(p_tenant text, p_user text, p_token_version int)
  RETURNS TABLE (email text, role text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.email, u.role FROM users u
     WHERE u.tenant_id = p_tenant AND u.id = p_user AND u.token_version = p_token_version
  $$;`;

/** The reference host: tenants and their users, pipelines and their records. */
export class Host1700000006000 implements MigrationInterface {
  name = 'Host1700000006000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(TABLES);
    for (const table of ['tenants', 'users', 'pipelines', 'pipeline_fields', 'records']) {
      await db.query(tenantTable(table));
    }
    for (const table of ['tenants', 'users']) await db.query(systemAccess(table, 'SELECT'));
    await db.query(SIGN_IN);
    await db.query(systemFunction('host_find_login(text)'));
    await db.query(systemFunction('host_find_principal(text, text, int)'));
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query(`
      DROP FUNCTION host_find_login(text), host_find_principal(text, text, int);
      DROP TABLE records, pipeline_fields, pipelines, users, tenants;
      DROP SEQUENCE pipeline_versions`);
  }
}
