import type { TestDatabase } from './database.js';

/**
 * Looks for a text in every row of every table of the product, whatever the column.
 *
 * @returns the tables that hold it, partitions under the name of their table, sorted.
 */
export async function tablesHolding(database: TestDatabase, text: string): Promise<string[]> {
  const tables = await database.sql<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  const holding: string[] = [];
  for (const { name } of tables) {
    const found = await database.sql(`SELECT FROM "${name}" t WHERE position($1 IN t::text) > 0 LIMIT 1`, [
      text,
    ]);
    if (found.length > 0) holding.push(name);
  }
  return holding;
}
