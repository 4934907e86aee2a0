import { dayText, type ReportRange } from './report-range.js';

/** How a report is read from daily sums, and from the calls themselves. */
interface Sources {
  /** Selects from `ai_rollups` or `ai_model_rollups`, after `WHERE tenant_id = $1`. */
  rolled: string;
  rolledGroup?: string;
  /** The same columns from rows of the ledger. */
  ledger: string;
  ledgerGroup: string;
}

/** Columns of the ledger that reports look at. */
const COLUMNS = `held_at, attempt, n, entry, principal_id, pipeline_id, field, operation, provider, model, cost_nano, input_tokens,
      cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, duration_ms, outcome`;

/**
 * One statement, so one moment: the daily sums of whole days, the rows that are not in them yet, and at the ends of the
 * range, where it begins or ends within a day, the ledger itself. A row is in the sums if and only if it is not above the
 * tenant's position, so nothing is missed and nothing counted twice, whenever it is asked.
 *
 * The rows above the position are found first and by it alone: with the time in the same condition, the planner (which
 * keeps one plan for all values) took the time for the rarer of the two and read a whole month to find none.
 */
export function partsOf(sources: Sources, { edges }: Pick<ReportRange, 'edges'>): string {
  const { rolled, rolledGroup = '', ledger, ledgerGroup } = sources;
  const ofEdges = edges.map(
    (_, i) => `
    UNION ALL
    SELECT ${ledger} FROM ai_ledger
     WHERE tenant_id = $1 AND held_at >= $${2 * i + 4}::timestamptz AND held_at < $${2 * i + 5}::timestamptz GROUP BY ${ledgerGroup}`,
  );
  return `tail AS MATERIALIZED (
    SELECT ${COLUMNS} FROM ai_ledger
     WHERE tenant_id = $1 AND xid > (SELECT coalesce(max(p.xid), 0) FROM ai_rollup_positions p WHERE p.tenant_id = $1)
  ), parts AS (
    ${rolled} AND day >= $2::date AND day < $3::date ${rolledGroup}
    UNION ALL
    SELECT ${ledger} FROM tail
     WHERE held_at >= $2::date::timestamp AT TIME ZONE 'UTC' AND held_at < $3::date::timestamp AT TIME ZONE 'UTC'
     GROUP BY ${ledgerGroup}${ofEdges.join('')}
  )`;
}

/** The values of {@link partsOf}. */
export function valuesOf(tenantId: string, { days, edges }: ReportRange): unknown[] {
  const ends = edges.flatMap(({ from, to }) => [from.toISOString(), to.toISOString()]);
  return [tenantId, dayText(days.from), dayText(days.to), ...ends];
}
