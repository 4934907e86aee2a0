import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
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

const BATCH = 500;

/** Finished jobs in the order of their ids, without those whose calls may still be settled or released by an admin. */
const OLD_JOBS = `
  SELECT j.id FROM ai_jobs j
   WHERE j.tenant_id = $1 AND j.id > $2 AND j.id < $3 AND j.completed_at < $4
     AND NOT EXISTS (SELECT FROM ai_holds h WHERE h.tenant_id = $1 AND h.job_id = j.id)
     AND NOT EXISTS (SELECT FROM ai_ledger l WHERE l.tenant_id = $1 AND l.job_id = j.id AND l.entry = 'unconfirmed'
           AND NOT EXISTS (SELECT FROM ai_ledger r WHERE r.tenant_id = $1 AND r.job_id = j.id AND r.attempt = l.attempt
                              AND r.n = l.n AND r.entry = 'unconfirmed_released'))
   ORDER BY j.id LIMIT $5 FOR UPDATE SKIP LOCKED`;

/** Executions whose job is gone, or that never had one. */
const OLD_EXECUTIONS = `
  SELECT e.id FROM ai_executions e
   WHERE e.tenant_id = $1 AND e.id > $2 AND e.id < $3
     AND NOT EXISTS (SELECT FROM ai_jobs j WHERE j.tenant_id = $1 AND j.id = e.job_id)
   ORDER BY e.id LIMIT $4`;

/** No attempt is in flight for as long as a day. */
const OLD_PURGES =
  "DELETE FROM ai_purged_fields WHERE tenant_id = $1 AND purged_at < clock_timestamp() - interval '1 day'";

interface Row {
  id: string;
}

/** A page of old rows that was looked at. */
interface Page {
  removed: number;
  /** Where the next page begins; undefined behind the last. */
  next?: string;
}

/**
 * Removes finished jobs and their executions once they are older than their tenant's retention, but for those that stand
 * behind a current value. The ledger keeps what they cost.
 */
@Injectable()
export class CleanupOldJobs implements MaintenanceJob {
  readonly name = 'cleanup_old_jobs';
  readonly everyMs = DAY_MS;
  readonly leaseMs = MINUTE_MS;

  constructor(
    private readonly eachTenant: EachTenant,
    private readonly tenants: TenantTransactions,
    private readonly settings: TenantSettingsStore,
    private readonly kept: KeptExecutions,
  ) {}

  async run(keepOn: KeepOn): Promise<MaintenanceResult> {
    let [jobs, executions] = [0, 0];
    for await (const tenantId of this.eachTenant.ids(keepOn)) {
      await this.tenants.transaction(tenantId, (em) => em.query(OLD_PURGES, [tenantId]));
      const cutoff = await this.cutoffOf(tenantId);
      jobs += await this.removeAll(tenantId, keepOn, (em, after) => this.jobs(em, tenantId, after, cutoff));
      executions += await this.removeAll(tenantId, keepOn, (em, after) =>
        this.executions(em, tenantId, after, cutoff),
      );
    }
    return { jobs, executions };
  }

  private async cutoffOf(tenantId: string): Promise<Date> {
    const { contentRetentionDays } = await this.tenants.transaction(tenantId, (em) =>
      this.settings.read(em, tenantId),
    );
    return new Date(Date.now() - contentRetentionDays * DAY_MS);
  }

  /** Page after page, each in a transaction of its own. */
  private async removeAll(
    tenantId: string,
    keepOn: KeepOn,
    remove: (em: EntityManager, after: string) => Promise<Page>,
  ): Promise<number> {
    let removed = 0;
    for (let after: string | undefined = firstIdOf(new Date(0)); after !== undefined;) {
      await keepOn();
      const from: string = after;
      const page = await this.tenants.transaction(tenantId, (em) => remove(em, from));
      removed += page.removed;
      after = page.next;
    }
    return removed;
  }

  private async jobs(em: EntityManager, tenantId: string, after: string, cutoff: Date): Promise<Page> {
    const old = await em.query<Row[]>(OLD_JOBS, [tenantId, after, firstIdOf(cutoff), cutoff, BATCH]);
    const ids = old.map(({ id }) => id);
    const made = await em.query<{ id: string; job_id: string }[]>(
      'SELECT id, job_id FROM ai_executions WHERE tenant_id = $1 AND job_id = ANY ($2)',
      [tenantId, ids],
    );
    const kept = await this.kept.among(
      em,
      tenantId,
      made.map(({ id }) => id),
    );
    const spared = new Set(made.filter(({ id }) => kept.has(id)).map((execution) => execution.job_id));
    const doomed = ids.filter((id) => !spared.has(id));
    await em.query('DELETE FROM ai_executions WHERE tenant_id = $1 AND job_id = ANY ($2)', [
      tenantId,
      doomed,
    ]);
    await em.query('DELETE FROM ai_jobs WHERE tenant_id = $1 AND id = ANY ($2)', [tenantId, doomed]);
    return { removed: doomed.length, next: nextOf(ids) };
  }

  private async executions(em: EntityManager, tenantId: string, after: string, cutoff: Date): Promise<Page> {
    const old = await em.query<Row[]>(OLD_EXECUTIONS, [tenantId, after, firstIdOf(cutoff), BATCH]);
    const ids = old.map(({ id }) => id);
    const kept = await this.kept.among(em, tenantId, ids);
    const doomed = ids.filter((id) => !kept.has(id));
    await em.query('DELETE FROM ai_executions WHERE tenant_id = $1 AND id = ANY ($2)', [tenantId, doomed]);
    return { removed: doomed.length, next: nextOf(ids) };
  }
}

function nextOf(ids: readonly string[]): string | undefined {
  return ids.length < BATCH ? undefined : ids.at(-1);
}
