import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { firstIdOf } from '#libs/common';
import { TenantSettingsStore, TenantTransactions } from '#libs/tenants';
import { EachTenant } from './each-tenant.js';
import { KeptExecutions } from './kept-executions.js';
import {
  DAY_MS,
  MINUTE_MS,
  type KeepOn,
  type MaintenanceJob,
  type MaintenanceResult,
} from './maintenance-job.js';

const BATCH = 1_000;
const KEEP_EVENTS = '1 hour';
/** Results are reused for at most so many days, whatever the tenant keeps. */
const CACHE_DAYS = 30;

const OLD_CACHE = `
  DELETE FROM ai_result_cache WHERE tenant_id = $1 AND fingerprint IN (
    SELECT fingerprint FROM ai_result_cache WHERE tenant_id = $1 AND created_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)`;

/** A job that changed nothing tells nothing after a day, but that a failure before it was overcome. */
const OLD_UNCHANGED = `
  DELETE FROM ai_jobs WHERE tenant_id = $1 AND id IN (
    SELECT id FROM ai_jobs j WHERE tenant_id = $1 AND status = 'completed' AND outcome = 'unchanged' AND completed_at < $2
       AND NOT EXISTS (SELECT FROM ai_jobs o WHERE o.tenant_id = $1 AND o.subject = j.subject
                          AND o.completed_at < j.completed_at AND o.status = 'failed')
     LIMIT $3 FOR UPDATE SKIP LOCKED)`;

const OLD_CONTENT = `
  SELECT id FROM ai_executions WHERE tenant_id = $1 AND id > $2 AND id < $3
     AND (request IS NOT NULL OR answer IS NOT NULL OR value IS NOT NULL) ORDER BY id LIMIT $4`;

/** The message of an answer that could not be read quotes it. */
const EMPTY = `
  UPDATE ai_executions SET request = NULL, answer = NULL, value = NULL,
      error_message = CASE WHEN error_code <> 'parse_failed' THEN error_message END
   WHERE tenant_id = $1 AND id = ANY ($2)`;

/** With what it says of which jobs were its own. */
const OLD_RUNS = `
  DELETE FROM ai_runs WHERE tenant_id = $1 AND id IN (
    SELECT id FROM ai_runs WHERE tenant_id = $1 AND created_at < $2 AND NOT queueing LIMIT $3 FOR UPDATE SKIP LOCKED)`;

/** Ends what may not be kept: events, cached results, jobs that changed nothing, runs, and what was asked and answered. */
@Injectable()
export class ApplyRetention implements MaintenanceJob {
  readonly name = 'apply_retention';
  readonly everyMs = 15 * MINUTE_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly eachTenant: EachTenant,
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly kept: KeptExecutions,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    const result = {
      events: await this.dropEvents(keepOn),
      cached_results: 0,
      unchanged_jobs: 0,
      runs: 0,
      contents: 0,
    };
    for await (const tenantId of this.eachTenant.ids(keepOn)) {
      const days = await this.daysOf(tenantId);
      const cacheCutoff = daysAgo(Math.min(days, CACHE_DAYS));
      result.cached_results += await this.removeAll(tenantId, keepOn, OLD_CACHE, cacheCutoff);
      result.unchanged_jobs += await this.removeAll(tenantId, keepOn, OLD_UNCHANGED, daysAgo(1));
      result.runs += await this.removeAll(tenantId, keepOn, OLD_RUNS, daysAgo(days));
      result.contents += await this.emptyExecutions(tenantId, keepOn, daysAgo(days));
    }
    return result;
  }

  private async daysOf(tenantId: string): Promise<number> {
    const settings = await this.tenants.transaction(tenantId, (em) => this.settings.read(em, tenantId));
    return settings.contentRetentionDays;
  }

  private async dropEvents(keepOn: KeepOn): Promise<number> {
    for (let events = 0; ; await keepOn()) {
      const [row] = await this.dataSource.query<{ dropped: number }[]>(
        'SELECT ai_drop_old_events($1::interval, $2) AS dropped',
        [KEEP_EVENTS, BATCH],
      );
      events += row!.dropped;
      if (row!.dropped < BATCH) return events;
    }
  }

  private async removeAll(tenantId: string, keepOn: KeepOn, sql: string, cutoff: Date): Promise<number> {
    for (let removed = 0; ;) {
      await keepOn();
      const [, count] = await this.tenants.transaction(tenantId, (em) =>
        em.query<[unknown, number]>(sql, [tenantId, cutoff, BATCH]),
      );
      removed += count;
      if (count < BATCH) return removed;
    }
  }

  private async emptyExecutions(tenantId: string, keepOn: KeepOn, cutoff: Date): Promise<number> {
    let emptied = 0;
    for (let after: string | undefined = firstIdOf(new Date(0)); after !== undefined;) {
      await keepOn();
      const from: string = after;
      const page = await this.tenants.transaction(tenantId, (em) =>
        this.emptyPage(em, tenantId, from, cutoff),
      );
      emptied += page.emptied;
      after = page.next;
    }
    return emptied;
  }

  /** The execution itself stays as long as its job: who, when, what it cost. */
  private async emptyPage(
    em: EntityManager,
    tenantId: string,
    after: string,
    cutoff: Date,
  ): Promise<{ emptied: number; next?: string }> {
    const old = await em.query<{ id: string }[]>(OLD_CONTENT, [tenantId, after, firstIdOf(cutoff), BATCH]);
    const ids = old.map(({ id }) => id);
    const kept = await this.kept.among(em, tenantId, ids);
    const doomed = ids.filter((id) => !kept.has(id));
    await em.query(EMPTY, [tenantId, doomed]);
    return { emptied: doomed.length, next: ids.length < BATCH ? undefined : ids.at(-1) };
  }
}

function daysAgo(days: number): Date {
  return new Date(Date.now() - days * DAY_MS);
}
