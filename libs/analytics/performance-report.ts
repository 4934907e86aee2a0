import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { requireKept } from './kept-days.js';
import type { ReportRange } from './report-range.js';
import { partsOf, valuesOf } from './report-statement.js';
import { percentile } from './response-times.js';

/** How a model did. */
export interface ModelPerformance {
  model: string;
  /** Calls that were made. */
  requests: number;
  /** Of them, those that were answered: 0 to 1. */
  success_rate: number;
  /** Milliseconds of answers, within 2.2 %; null where there are none. */
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  /** Output tokens for each second of a call; null where nothing was answered. */
  tokens_per_second: number | null;
  /** First calls of a further attempt of a job. */
  retries: number;
  /** Calls that failed, by the code of the error; not told to who does not see every field. */
  errors?: Record<string, number>;
}

export interface PerformanceReport {
  items: ModelPerformance[];
}

interface Row {
  model: string;
  requests: string;
  answered: string;
  retries: string;
  output_tokens: string;
  duration_ms: string;
  times: Record<string, number>;
  errors: Record<string, number>;
}

const COLUMNS = 'model, requests, answered, retries, output_tokens, duration_ms, times, errors';

/** Rows of the ledger as cells of one model, bucket and code each. */
const OF_LEDGER = `model, count(*), count(*) FILTER (WHERE outcome = 'answered'),
      count(*) FILTER (WHERE attempt > 1 AND n = 1),
      coalesce(sum(output_tokens) FILTER (WHERE outcome = 'answered' AND duration_ms IS NOT NULL), 0),
      coalesce(sum(duration_ms) FILTER (WHERE outcome = 'answered'), 0),
      CASE WHEN outcome = 'answered' AND ai_time_bucket(duration_ms) IS NOT NULL
           THEN jsonb_build_object(ai_time_bucket(duration_ms), count(*)) ELSE '{}' END,
      CASE WHEN outcome <> 'answered' THEN jsonb_build_object(outcome, count(*)) ELSE '{}' END`;

const SOURCES = {
  rolled: `SELECT ${COLUMNS} FROM ai_model_rollups WHERE tenant_id = $1`,
  ledger: OF_LEDGER,
  ledgerGroup: `model, outcome, ai_time_bucket(duration_ms), entry HAVING entry IN ('settled', 'released', 'unconfirmed')`,
};

/** Response times, speed and failures of the models of a tenant. */
@Injectable()
export class PerformanceReports {
  /** @throws InvalidInputError where the range ends within a day whose calls are no longer kept. */
  async performance(em: EntityManager, tenantId: string, range: ReportRange): Promise<PerformanceReport> {
    await requireKept(em, tenantId, range);
    const sql = `WITH ${partsOf(SOURCES, range)} SELECT * FROM parts`;
    const rows = await em.query<Row[]>(sql, valuesOf(tenantId, range));
    const models = new Map<string, Row[]>();
    for (const row of rows) models.set(row.model, [...(models.get(row.model) ?? []), row]);
    const items = [...models].map(([model, ofModel]) => toItem(model, ofModel));
    return { items: items.sort((a, b) => b.requests - a.requests || (a.model < b.model ? -1 : 1)) };
  }
}

function toItem(model: string, rows: readonly Row[]): ModelPerformance {
  const sum = (name: 'requests' | 'answered' | 'retries' | 'output_tokens' | 'duration_ms') =>
    rows.reduce((total, row) => total + Number(row[name]), 0);
  const times = new Map(
    [...countsOf(rows.map((row) => row.times))].map(([bucket, count]) => [Number(bucket), count]),
  );
  const [requests, seconds] = [sum('requests'), sum('duration_ms') / 1000];
  return {
    model,
    requests,
    success_rate: round(sum('answered') / requests, 4),
    p50_ms: percentile(times, 0.5) ?? null,
    p95_ms: percentile(times, 0.95) ?? null,
    p99_ms: percentile(times, 0.99) ?? null,
    tokens_per_second: seconds > 0 ? round(sum('output_tokens') / seconds, 2) : null,
    retries: sum('retries'),
    errors: Object.fromEntries([...countsOf(rows.map((row) => row.errors))].sort()),
  };
}

/** Numbers by name, added name by name. */
function countsOf(all: readonly Record<string, number>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const counts of all)
    for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
  return sums;
}

function round(value: number, places: number): number {
  return Number(value.toFixed(places));
}
