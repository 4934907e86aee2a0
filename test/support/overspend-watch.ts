import type { TestDatabase } from './database.js';

const WATCH = `
  CREATE TABLE test_overspent (tenant text, scope text, scope_id text, spent bigint, held bigint, "limit" bigint);
  CREATE FUNCTION test_watch_budget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
  BEGIN
    INSERT INTO test_overspent SELECT NEW.tenant_id, NEW.scope, NEW.scope_id, NEW.spent, NEW.held, l.limit_nano
      FROM ai_budget_limits l WHERE l.tenant_id = NEW.tenant_id AND l.scope = NEW.scope AND l.scope_id = NEW.scope_id
       AND NEW.spent + NEW.held > l.limit_nano;
    RETURN NULL;
  END $$;
  CREATE TRIGGER test_watch AFTER INSERT OR UPDATE ON ai_budgets FOR EACH ROW EXECUTE FUNCTION test_watch_budget()`;

/**
 * Watches every budget row of a database from now on, inside the transactions that write it.
 *
 * @returns asks for the rows that stood above their limit at any moment.
 */
export async function watchForOverspending(database: TestDatabase): Promise<() => Promise<object[]>> {
  await database.sql(WATCH);
  return () => database.sql('SELECT * FROM test_overspent');
}
