import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nanoToCents, nanoToUsd } from '#libs/common';
import { requireKept } from './kept-days.js';
import type { ReportRange } from './report-range.js';
import { partsOf, valuesOf } from './report-statement.js';
import { groupOf, type UsageGroup } from './usage-groups.js';

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

export type UsageTotals = Omit<UsageItem, 'key'>;

export interface UsageReport {
  items: UsageItem[];
  totals: UsageTotals;
}

/** One line of a report, exactly. */
export interface UsageRow {
  key: string | null;
  requests: string;
  input: string;
  output: string;
  /** Nano-USD. */
  cost: string;
  errors: string;
  cached: string;
}

/** A released call answered with an error and cost nothing; an unconfirmed one counts at its hold until it is released. */
const OF_LEDGER = `
  count(*) FILTER (WHERE entry IN ('settled', 'released', 'unconfirmed')) AS requests,
  coalesce(sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens), 0) AS input,
  coalesce(sum(output_tokens), 0) AS output,
  coalesce(sum(cost_nano), 0) AS cost,
  count(*) FILTER (WHERE entry IN ('released', 'unconfirmed')) AS errors,
  count(*) FILTER (WHERE entry = 'free') AS cached`;
const OF_ROLL_UPS =
  'requests, input_tokens AS input, output_tokens AS output, cost_nano AS cost, errors, cached';
const SUMS = ['requests', 'input', 'output', 'cost', 'errors', 'cached'] as const;

/** How the lines of a report are put in order, and how many are of interest. */
export type UsageOrder = { by: 'key' } | { by: 'cost'; most: number };

/** Usage and cost of a tenant: exact at any moment. */
@Injectable()
export class UsageReports {
  /** @throws InvalidInputError where the range ends within a day whose calls are no longer kept. */
  async usage(
    em: EntityManager,
    tenantId: string,
    range: ReportRange,
    group: UsageGroup,
  ): Promise<UsageReport> {
    await requireKept(em, tenantId, range);
    const rows = await this.rows(em, tenantId, range, group);
    return { items: rows.map(toItem), totals: totalsOf(rows) };
  }

  rows(
    em: EntityManager,
    tenantId: string,
    range: ReportRange,
    group: UsageGroup,
    order: UsageOrder = { by: 'key' },
  ): Promise<UsageRow[]> {
    const sql = `WITH ${partsOf(sourcesOf(group), range)}
      SELECT key, ${SUMS.map((name) => `sum(${name})::text AS ${name}`).join(', ')} FROM parts GROUP BY key ${orderOf(order)}`;
    return em.query<UsageRow[]>(sql, valuesOf(tenantId, range));
  }
}

function sourcesOf(name: UsageGroup) {
  const { dimension, rolled, ledger } = groupOf(name);
  return {
    rolled: `SELECT ${rolled} AS key, ${OF_ROLL_UPS} FROM ai_rollups WHERE tenant_id = $1 AND dimension = '${dimension}'`,
    ledger: `${ledger} AS key, ${OF_LEDGER}`,
    ledgerGroup: '1',
  };
}

function orderOf(order: UsageOrder): string {
  if (order.by === 'key') return 'ORDER BY key';
  return `HAVING sum(cost) > 0 AND key IS NOT NULL ORDER BY sum(cost) DESC, key LIMIT ${order.most}`;
}

export function toItem(row: UsageRow): UsageItem {
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

export function totalsOf(rows: readonly UsageRow[]): UsageTotals {
  const sum = { key: null, ...Object.fromEntries(SUMS.map((name) => [name, sumOf(rows, name)])) } as UsageRow;
  const { key: _key, ...totals } = toItem(sum);
  return totals;
}

export function sumOf(rows: readonly UsageRow[], name: (typeof SUMS)[number]): string {
  return rows.reduce((total, row) => total + BigInt(row[name]), 0n).toString();
}
