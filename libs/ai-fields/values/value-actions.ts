import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, nanoToUsd, NotFoundError, type Json } from '#libs/common';
import { RECORD_STORE, type HostRecord, type Principal, type RecordStore } from '#libs/host';
import { JobControl, LANE, type Priority } from '#libs/processing';
import { TenantSettingsStore } from '#libs/tenants';
import { CompiledConfigs } from '../config/compiled-configs.js';
import type { CompiledPipeline } from '../config/compile-pipeline.js';
import { GenerationQueue } from '../generation/enqueue-due.js';
import { subjectOf } from '../generation/subject.js';
import { findDue } from '../graph/find-due.js';
import { AiValueEdits, type ValueAddress } from './value-edits.js';
import { AiValueViews, type AiValueView } from './value-views.js';

/** A value after somebody has acted on it. */
export interface ShownValue {
  value: Json;
  ai: AiValueView;
}

export interface HistoryItem {
  execution_id: string;
  value: Json;
  model: string;
  cost_usd: number | null;
  cause: { origin: string; job_id: string; principal_id: string };
  created_at: string;
}

interface HistoryRow {
  id: string;
  value: Json;
  model: string;
  cost_nano: string | null;
  origin: string;
  job_id: string;
  principal_id: string;
  created_at: Date;
}

interface Found {
  compiled: CompiledPipeline;
  record: HostRecord;
  address: ValueAddress;
}

const HISTORY_LIMIT = 200;

/** The actions of people on one AI value, each in the caller's transaction. */
@Injectable()
export class ValueActions {
  // The collaborators are what an action touches: the record, its configuration, its jobs.
  constructor(
    @Inject(RECORD_STORE) private readonly records: RecordStore,
    private readonly configs: CompiledConfigs,
    private readonly settings: TenantSettingsStore,
    private readonly queue: GenerationQueue,
    private readonly edits: AiValueEdits,
    private readonly views: AiValueViews,
    private readonly jobs: JobControl,
  ) {}

  /**
   * Queues the generation of the value; one that is pending already is that job. Without `force` an unchanged input
   * costs nothing.
   *
   * @param how `force` (default false): generate it whatever it would cost; `priority`: among the tenant's waiting jobs.
   * @throws NotFoundError; FieldsmithError `overridden` (409) when a person's value stands.
   */
  async generate(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    { force = false, priority }: { force?: boolean; priority?: Priority },
  ): Promise<string> {
    const found = await this.find(em, principal.tenantId, recordId, slug);
    const view = await this.view(em, principal.tenantId, found);
    const { config } = found.compiled.fields.get(slug)!;
    if (view.state === 'overridden' && config.on_manual_edit !== 'overwrite') {
      throw new FieldsmithError(
        'overridden',
        'A person wrote this value: reset it first, then generate it.',
        { status: 409 },
      );
    }
    const cause = {
      origin: 'user',
      principalId: principal.id,
      lane: LANE.interactive,
      force,
      priority,
    } as const;
    const [jobId] = await this.queue.enqueue(em, principal.tenantId, found.compiled, [
      { recordId, field: slug, cause },
    ]);
    return jobId!;
  }

  /** Stops the open jobs of the value. @returns how many there were. */
  async stop(em: EntityManager, { tenantId }: Principal, recordId: string, slug: string): Promise<number> {
    await this.find(em, tenantId, recordId, slug);
    const open = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND subject = $2 AND completed_at IS NULL ORDER BY id`,
      [tenantId, subjectOf(recordId, slug)],
    );
    await this.jobs.cancelMany(
      em,
      tenantId,
      open.map(({ id }) => id),
    );
    return open.length;
  }

  /** Drops a person's value; what was generated stands again, and is refreshed where it regenerates by itself and is old. */
  async reset(em: EntityManager, principal: Principal, recordId: string, slug: string): Promise<ShownValue> {
    const found = await this.find(em, principal.tenantId, recordId, slug);
    const value = await this.edits.reset(em, principal, found.address);
    await this.triggerDownstream(em, principal, found);
    const fresh = await this.find(em, principal.tenantId, recordId, slug);
    const view = await this.view(em, principal.tenantId, fresh);
    // A call in flight was made before the reset, and its result will be discarded: that counts as old too.
    const { config } = fresh.compiled.fields.get(slug)!;
    if (config.auto_regenerate !== false && view.state !== 'ready') {
      const cause = { origin: 'user', principalId: principal.id, lane: LANE.interactive } as const;
      await this.queue.enqueue(em, principal.tenantId, fresh.compiled, [{ recordId, field: slug, cause }]);
    }
    return { value, ai: await this.view(em, principal.tenantId, fresh) };
  }

  async restore(
    em: EntityManager,
    principal: Principal,
    recordId: string,
    slug: string,
    executionId: string,
  ): Promise<ShownValue> {
    const found = await this.find(em, principal.tenantId, recordId, slug);
    const value = await this.edits.restore(em, principal, found.address, executionId);
    await this.triggerDownstream(em, principal, found);
    return {
      value,
      ai: await this.view(em, principal.tenantId, await this.find(em, principal.tenantId, recordId, slug)),
    };
  }

  async feedback(
    em: EntityManager,
    { tenantId }: Principal,
    recordId: string,
    slug: string,
    feedback: string,
    comment?: string,
  ): Promise<void> {
    const { address } = await this.find(em, tenantId, recordId, slug);
    await this.edits.feedback(em, tenantId, address, feedback, comment);
  }

  /** The values this field of this record has had, newest first. */
  async history(em: EntityManager, tenantId: string, recordId: string, slug: string): Promise<HistoryItem[]> {
    await this.find(em, tenantId, recordId, slug);
    const rows = await em.query<HistoryRow[]>(
      `SELECT id, value, model, cost_nano, origin, job_id, principal_id, created_at FROM ai_executions
        WHERE tenant_id = $1 AND record_id = $2 AND field = $3 AND stored AND value IS NOT NULL
        ORDER BY created_at DESC, id DESC LIMIT $4`,
      [tenantId, recordId, slug, HISTORY_LIMIT],
    );
    return rows.map((row) => ({
      execution_id: row.id,
      value: row.value,
      model: row.model,
      cost_usd: row.cost_nano === null ? null : nanoToUsd(BigInt(row.cost_nano)),
      cause: { origin: row.origin, job_id: row.job_id, principal_id: row.principal_id },
      created_at: row.created_at.toISOString(),
    }));
  }

  private async find(em: EntityManager, tenantId: string, recordId: string, slug: string): Promise<Found> {
    const record = await this.records.read(em, tenantId, recordId);
    if (!record) throw new NotFoundError('record', recordId);
    const settings = await this.settings.read(em, tenantId);
    const compiled = await this.configs.at(em, tenantId, record.pipelineId, record.pipelineVersion, settings);
    const broken = compiled?.broken.get(slug);
    if (broken) throw broken;
    if (!compiled?.fields.has(slug)) throw new NotFoundError('AI field', slug);
    return { compiled, record, address: { pipelineId: record.pipelineId, recordId, field: slug } };
  }

  private async view(
    em: EntityManager,
    tenantId: string,
    { compiled, record, address }: Found,
  ): Promise<AiValueView> {
    const views = await this.views.describeCompiled(em, tenantId, compiled, [record]);
    return views.get(record.id)![address.field]!;
  }

  private async triggerDownstream(
    em: EntityManager,
    principal: Principal,
    { compiled, record, address }: Found,
  ): Promise<void> {
    const { field } = address;
    const due = findDue(compiled, { changed: new Set([field]), created: false, written: new Set([field]) });
    const cause = { origin: 'user', principalId: principal.id, lane: LANE.interactive } as const;
    await this.queue.enqueue(
      em,
      principal.tenantId,
      compiled,
      due.map((next) => ({ recordId: record.id, field: next, cause })),
    );
  }
}
