import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who sees the values of a field: the roles it names, or everybody where it names none. */
export class FieldVisibility1700000015000 implements MigrationInterface {
  name = 'FieldVisibility1700000015000';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE pipeline_fields ADD COLUMN visible_to text[]
        CHECK (visible_to <@ ARRAY['viewer', 'editor', 'admin', 'owner'])`);
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE pipeline_fields DROP COLUMN visible_to');
  }
}
