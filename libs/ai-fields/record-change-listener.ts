import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Json } from '#libs/common';
import type { Principal } from '#libs/host';
import { LANE } from '#libs/processing';
import { TENANT_SETTING, tenantOf, TenantSettingsStore } from '#libs/tenants';
import { AiFieldConfigs } from './config/ai-field-configs.js';
import { CompiledConfigs } from './config/compiled-configs.js';
import type { CompiledPipeline } from './config/compile-pipeline.js';
import { FieldPurge } from './config/field-purge.js';
import { GenerationQueue } from './generation/enqueue-due.js';
import { findDue } from './graph/find-due.js';
import { AiValueEdits } from './values/value-edits.js';

/** A saved change of a record, told inside the transaction that saves it. */
export interface RecordChange {
  pipelineId: string;
  /** The pipeline's version at the time of the change. */
  pipelineVersion: string;
  recordId: string;
  created: boolean;
  /** New values of the fields that really changed, by slug; AI fields that a person wrote included. */
  changed: Record<string, Json>;
  origin: 'user' | 'import' | 'api';
  /** Whether AI fields that are due are queued; default true. */
  generate?: boolean;
}

export interface TriggeredJob {
  field: string;
  job_id: string;
  status: 'queued_on_commit';
}

/**
 * What a host tells when a record changes, in its own transaction: record and jobs become visible together, or neither.
 *
 * @example
 * await dataSource.transaction(async (em) => {
 *   await saveRecord(em, patch);
 *   await listener.recordsSaved(em, principal, [
 *     { pipelineId, pipelineVersion, recordId, created: false, changed: patch, origin: 'user' },
 *   ]);
 * });
 */
@Injectable()
export class RecordChangeListener {
  constructor(
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly queue: GenerationQueue,
    private readonly edits: AiValueEdits,
    private readonly purge: FieldPurge,
    private readonly fields: AiFieldConfigs,
  ) {}

  /**
   * Finds the AI fields that the changes make due and makes their jobs; a person's own values of AI fields are noted, so
   * that no generation overwrites them.
   *
   * @returns the jobs of each change, in order.
   */
  async recordsSaved(
    em: EntityManager,
    principal: Principal,
    changes: readonly RecordChange[],
  ): Promise<TriggeredJob[][]> {
    if (changes.length === 0) return [];
    return this.asTenant(em, principal.tenantId, () => this.trigger(em, principal, changes));
  }

  /** The record is gone: its open jobs end, and what was kept about it goes. */
  async recordDeleted(em: EntityManager, tenantId: string, recordId: string): Promise<void> {
    await this.asTenant(em, tenantId, () => this.purge.dropRecord(em, tenantId, recordId));
  }

  /**
   * The pipeline is gone: the same for all its records, and its AI fields go with their limits. These stay locked until
   * the commit, and whoever applies settlements may wait for them: tell it last.
   */
  async pipelineDeleted(em: EntityManager, principal: Principal, pipelineId: string): Promise<void> {
    const remove = () => this.fields.pipelineRemoved(em, principal, pipelineId);
    await this.asTenant(em, principal.tenantId, remove);
  }

  private async trigger(
    em: EntityManager,
    principal: Principal,
    changes: readonly RecordChange[],
  ): Promise<TriggeredJob[][]> {
    const { tenantId } = principal;
    const settings = await this.settings.recent(em, tenantId);
    const wanted: { change: number; recordId: string; field: string; compiled: CompiledPipeline }[] = [];
    const overwritten: { recordId: string; field: string }[] = [];
    for (const [index, change] of changes.entries()) {
      const compiled = await this.configs.at(
        em,
        tenantId,
        change.pipelineId,
        change.pipelineVersion,
        settings,
      );
      if (!compiled || compiled.fields.size === 0) continue;
      const written = Object.keys(change.changed).filter((slug) => compiled.fields.has(slug));
      if (written.length > 0) await this.edits.written(em, principal, change, written);
      if (!change.created) overwritten.push(...onlyUntilGenerated(change, compiled, written));
      if (change.generate === false) continue;
      const due = findDue(compiled, {
        changed: new Set(Object.keys(change.changed)),
        created: change.created,
        written: new Set(written),
      });
      for (const field of due) wanted.push({ change: index, recordId: change.recordId, field, compiled });
    }
    // Jobs are locked after all values, as whoever stores one does.
    await this.edits.endOlderJobs(em, tenantId, overwritten);
    return this.enqueue(em, principal, changes, wanted);
  }

  private async enqueue(
    em: EntityManager,
    principal: Principal,
    changes: readonly RecordChange[],
    wanted: readonly { change: number; recordId: string; field: string; compiled: CompiledPipeline }[],
  ): Promise<TriggeredJob[][]> {
    const triggered: TriggeredJob[][] = changes.map(() => []);
    for (const compiled of new Set(wanted.map((entry) => entry.compiled))) {
      const own = wanted.filter((entry) => entry.compiled === compiled);
      const ids = await this.queue.enqueue(
        em,
        principal.tenantId,
        compiled,
        own.map(({ recordId, field, change }) => ({
          recordId,
          field,
          cause: causeOf(changes[change]!, principal),
        })),
      );
      own.forEach(({ change, field }, i) =>
        triggered[change]!.push({ field, job_id: ids[i]!, status: 'queued_on_commit' }),
      );
    }
    return triggered;
  }

  /** Sets the tenant in the host's transaction and restores what was there; changes no role. */
  private async asTenant<T>(em: EntityManager, tenantId: string, work: () => Promise<T>): Promise<T> {
    if (tenantOf(em) === tenantId) return work();
    const [before] = await em.query<{ tenant: string | null }[]>(
      `SELECT current_setting('${TENANT_SETTING}', true) AS tenant`,
    );
    if (before?.tenant === tenantId) return work();
    await setTenant(em, tenantId);
    const result = await work().catch(async (error: unknown) => {
      // Fails itself in a transaction that is aborted, where rolling back restores the tenant: the first error is what counts.
      await setTenant(em, before?.tenant ?? '').catch(() => undefined);
      throw error;
    });
    await setTenant(em, before?.tenant ?? '');
    return result;
  }
}

async function setTenant(em: EntityManager, tenantId: string): Promise<void> {
  await em.query(`SELECT set_config('${TENANT_SETTING}', $1, true)`, [tenantId]);
}

function causeOf(change: RecordChange, principal: Principal) {
  const lane = change.origin === 'import' ? LANE.backfill : LANE.interactive;
  return { origin: change.origin, principalId: principal.id, lane };
}

/** What a person wrote that the next generation writes over. */
function onlyUntilGenerated(
  { recordId }: RecordChange,
  { fields }: CompiledPipeline,
  written: readonly string[],
): { recordId: string; field: string }[] {
  const overwritten = written.filter((slug) => fields.get(slug)?.config.on_manual_edit === 'overwrite');
  return overwritten.map((field) => ({ recordId, field }));
}
