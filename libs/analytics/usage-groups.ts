/** Where the key of a report comes from: in the daily sums, and in the ledger. */
interface Group {
  /** Of `ai_rollups`. */
  dimension: string;
  rolled: string;
  ledger: string;
}

const DAY_OF_HOLD = `(held_at AT TIME ZONE 'UTC')::date::text`;

/** What usage can be grouped by. The ledger knows of no template yet, so all is under none. */
const GROUPS = {
  day: { dimension: 'all', rolled: 'day::text', ledger: DAY_OF_HOLD },
  model: { dimension: 'model', rolled: 'key', ledger: 'model' },
  provider: { dimension: 'provider', rolled: 'key', ledger: 'provider' },
  user: { dimension: 'user', rolled: 'key', ledger: 'principal_id' },
  pipeline: { dimension: 'pipeline', rolled: 'key', ledger: 'pipeline_id' },
  field: { dimension: 'field', rolled: 'key', ledger: `pipeline_id || ':' || field` },
  operation: { dimension: 'operation', rolled: 'key', ledger: 'operation' },
  template: { dimension: 'all', rolled: 'NULL::text', ledger: 'NULL::text' },
} as const satisfies Record<string, Group>;

export type UsageGroup = keyof typeof GROUPS;
export const USAGE_GROUPS = Object.keys(GROUPS) as UsageGroup[];

export function groupOf(name: UsageGroup): Group {
  return GROUPS[name];
}
