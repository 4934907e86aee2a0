import type { EntityManager } from 'typeorm';
import { InvalidInputError } from '#libs/common';
import { DAY_MS, dayText, midnight, type Interval, type ReportRange } from './report-range.js';

/** Days that have sums and no calls any more: each sum was made from a row of the ledger. */
const GONE = `
  SELECT FROM ai_rollups r
   WHERE r.tenant_id = $1 AND r.dimension = 'all' AND r.day >= $2::date AND r.day < $3::date
     AND NOT EXISTS (SELECT FROM ai_ledger l WHERE l.tenant_id = $1
           AND l.held_at >= r.day::timestamp AT TIME ZONE 'UTC' AND l.held_at < (r.day + 1)::timestamp AT TIME ZONE 'UTC')
   LIMIT 1`;

/**
 * Of days that the ledger no longer has only whole ones can be told.
 *
 * @throws InvalidInputError where the range begins or ends within one.
 */
export async function requireKept(em: EntityManager, tenantId: string, range: ReportRange): Promise<void> {
  for (const edge of range.edges) {
    const gone = await em.query<unknown[]>(GONE, [tenantId, ...daysAround(edge)]);
    if (gone.length === 0) continue;
    const path = edge.from === range.from ? 'from' : 'to';
    const message = 'calls of that day are no longer kept, only its sums: give a day without a time';
    throw new InvalidInputError([{ path, message }]);
  }
}

function daysAround({ from, to }: Interval): [string, string] {
  const last = midnight(new Date(to.getTime() - 1));
  return [dayText(midnight(from)), dayText(new Date(last.getTime() + DAY_MS))];
}
