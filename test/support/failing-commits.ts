import type { TestDatabase } from './database.js';

/** Tables whose changes may not be committed: those of jobs and of money. */
const TABLES = ['ai_jobs', 'ai_holds', 'ai_budgets'];

/** Sequences keep what a transaction that fails has done. */
const FAIL = `
  CREATE SEQUENCE test_commits;
  CREATE SEQUENCE test_failures;
  CREATE FUNCTION test_fail_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
  BEGIN
    IF abs(hashint8(nextval('test_commits'))) % 10 = 0 THEN
      PERFORM nextval('test_failures');
      RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full';
    END IF;
    RETURN NULL;
  END $$`;

/**
 * Makes one in ten of the changes of jobs and money fail, as on a full disk, not when it is made but at its COMMIT.
 *
 * @returns asks how many have failed.
 */
export async function failCommits(database: TestDatabase): Promise<() => Promise<number>> {
  await database.sql(FAIL);
  for (const table of TABLES) {
    await database.sql(`
      CREATE CONSTRAINT TRIGGER test_fail AFTER INSERT OR UPDATE OR DELETE ON ${table}
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION test_fail_commit()`);
  }
  return async () => {
    const [row] = await database.sql<{ failed: string }>('SELECT last_value AS failed FROM test_failures');
    return Number(row!.failed);
  };
}
