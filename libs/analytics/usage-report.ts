import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nanoToCents, nanoToUsd } from '#libs/common';

/** What usage can be grouped by, and the expression of the ledger that gives it. */
const GROUPS = {
  day: `to_char(held_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  model: 'model',
  provider: 'provider',
  user: 'principal_id',
  pipeline: 'pipeline_id',
  field: `pipeline_id || ':' || field`,
  operation: 'operation',
  template: `NULL::text`,
} as const;

export type UsageGroup = keyof typeof GROUPS;
export const USAGE_GROUPS = Object.keys(GROUPS) as UsageGroup[];

export interface UsageItem {
  /** Null where the dimension does not apply. */
  key: string | null;
  requests: number;
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  cost_usd: number;
  cost_cents: number;
  errors: number;
  /** Results that needed no call. */
  cached: number;
}

export interface UsageReport {
  items: UsageItem[];
  totals: Omit<UsageItem, 'key'>;
}

interface Row {
  key: string | null;
  requests: string;
  input: string;
  output: string;
  cost: string;
  errors: string;
  cached: string;
}

/** A released call answered with an error and cost nothing; an unconfirmed one counts at its hold until it is released. */
const SUMS = `
  count(*) FILTER (WHERE entry IN ('settled', 'released', 'unconfirmed')) AS requests,
  coalesce(sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens), 0) AS input,
  coalesce(sum(output_tokens), 0) AS output,
  coalesce(sum(cost_nano), 0) AS cost,
  count(*) FILTER (WHERE entry IN ('released', 'unconfirmed')) AS errors,
  count(*) FILTER (WHERE entry = 'free') AS cached`;

/** Usage and cost of a tenant, read from the ledger. */
@Injectable()
export class UsageReports {
  /** @param from inclusive. @param to exclusive. */
  async usage(
    em: EntityManager,
    tenantId: string,
    from: Date,
    to: Date,
    group: UsageGroup,
  ): Promise<UsageReport> {
    const rows = await em.query<Row[]>(
      `SELECT ${GROUPS[group]} AS key, ${SUMS} FROM ai_ledger
        WHERE tenant_id = $1 AND held_at >= $2 AND held_at < $3 GROUP BY 1 ORDER BY 1`,
      [tenantId, from, to],
    );
    const items = rows.map(toItem);
    return { items, totals: totalsOf(rows) };
  }
}

function toItem(row: Row): UsageItem {
  const [input, output, cost] = [Number(row.input), Number(row.output), BigInt(row.cost)];
  return {
    key: row.key,
    requests: Number(row.requests),
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    cost_usd: nanoToUsd(cost),
    cost_cents: nanoToCents(cost),
    errors: Number(row.errors),
    cached: Number(row.cached),
  };
}

function totalsOf(rows: readonly Row[]): Omit<UsageItem, 'key'> {
  const sum = (pick: (row: Row) => string): string =>
    rows.reduce((total, row) => total + BigInt(pick(row)), 0n).toString();
  const { key: _key, ...totals } = toItem({
    key: null,
    requests: sum((row) => row.requests),
    input: sum((row) => row.input),
    output: sum((row) => row.output),
    cost: sum((row) => row.cost),
    errors: sum((row) => row.errors),
    cached: sum((row) => row.cached),
  });
  return totals;
}
