import type { MigrationInterface, QueryRunner } from 'typeorm';

const ROLES = ['fieldsmith_app', 'fieldsmith_system'];

/** The two roles of the application; both are shared by all Fieldsmith databases of a cluster. */
export class Roles1700000000000 implements MigrationInterface {
  name = 'Roles1700000000000';

  async up(db: QueryRunner): Promise<void> {
    for (const role of ROLES) await this.ensureRole(db, role);
    await db.query(`
      GRANT USAGE ON SCHEMA public TO fieldsmith_app, fieldsmith_system;
      GRANT CREATE ON SCHEMA public TO fieldsmith_system;
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;`);
  }

  async down(db: QueryRunner): Promise<void> {
    for (const role of ROLES) await db.query(`DROP OWNED BY ${role}`);
  }

  private async ensureRole(db: QueryRunner, role: string): Promise<void> {
    await db.query(`
      DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN
          BEGIN
            CREATE ROLE ${role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
          EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
              RAISE EXCEPTION 'The database owner % may not create roles. Let an administrator run: CREATE ROLE ${role} NOLOGIN; GRANT ${role} TO %;',
                current_user, current_user;
          END;
        END IF;
        IF NOT pg_has_role(current_user, '${role}', 'MEMBER') OR
           NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
          BEGIN
            EXECUTE format('GRANT ${role} TO %I', current_user);
          EXCEPTION WHEN insufficient_privilege THEN
            IF NOT pg_has_role(current_user, '${role}', 'MEMBER') THEN
              RAISE EXCEPTION 'The database owner % is no member of ${role}. Let an administrator run: GRANT ${role} TO %;',
                current_user, current_user;
            END IF;
          END;
        END IF;
      END $$`);
  }
}
