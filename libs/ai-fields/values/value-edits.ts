import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FieldsmithError, isId, NotFoundError, type Json } from '#libs/common';
import { EventLog } from '#libs/events';
import { RECORD_STORE, type Principal, type RecordStore } from '#libs/host';
import { JobControl } from '#libs/processing';
import { subjectOf } from '../generation/subject.js';

/** An AI field of a record that people act on. */
export interface ValueAddress {
  pipelineId: string;
  recordId: string;
  field: string;
}

const WRITTEN_SINCE = {
  errorCode: 'person_was_faster',
  errorMessage: 'A person changed the value before it was generated.',
};

/** What people do to AI values. Each bumps the value's revision, so that no generation in flight overwrites it. */
@Injectable()
export class AiValueEdits {
  constructor(
    @Inject(RECORD_STORE) private readonly records: RecordStore,
    private readonly events: EventLog,
    private readonly jobs: JobControl,
  ) {}

  /** A person wrote AI fields in a saved change: their values stand until they are reset. */
  async written(
    em: EntityManager,
    principal: Principal,
    change: { pipelineId: string; recordId: string; changed: Record<string, Json> },
    fields: readonly string[],
  ): Promise<void> {
    for (const field of fields) {
      const address = { pipelineId: change.pipelineId, recordId: change.recordId, field };
      await this.override(em, principal, address, change.changed[field] ?? null, []);
    }
  }

  /**
   * Ends the open jobs of values whose next generation writes over what a person wrote: those are from before, and what they
   * would store is not the next. Of a call in flight the revision discards the result; its job is not tried again.
   */
  async endOlderJobs(
    em: EntityManager,
    tenantId: string,
    values: readonly { recordId: string; field: string }[],
  ): Promise<void> {
    if (values.length === 0) return;
    const open = await em.query<{ id: string }[]>(
      'SELECT id FROM ai_jobs WHERE tenant_id = $1 AND subject = ANY ($2) AND completed_at IS NULL',
      [tenantId, values.map(({ recordId, field }) => subjectOf(recordId, field))],
    );
    const ids = open.map(({ id }) => id);
    await this.jobs.cancelMany(em, tenantId, ids, WRITTEN_SINCE);
  }

  /**
   * Drops a person's value and returns to the generated one.
   *
   * @returns the value that stands now; null where nothing was generated yet.
   * @throws FieldsmithError `not_overridden` (409).
   */
  async reset(em: EntityManager, principal: Principal, address: ValueAddress): Promise<Json> {
    const { tenantId } = principal;
    await this.lockRecord(em, tenantId, address);
    const [rows] = await em.query<[{ generated: Json }[], number]>(
      `UPDATE ai_values SET revision = revision + 1, override = NULL, override_sources = NULL, overridden_at = NULL, overridden_by = NULL
        WHERE tenant_id = $1 AND record_id = $2 AND field = $3 AND override IS NOT NULL RETURNING generated`,
      [tenantId, address.recordId, address.field],
    );
    const [row] = rows;
    if (!row)
      throw new FieldsmithError(
        'not_overridden',
        'Nobody has written over this value: there is nothing to reset.',
        { status: 409 },
      );
    await this.show(em, tenantId, address, row.generated);
    return row.generated;
  }

  /**
   * Puts the value of an earlier execution in place, as an override.
   *
   * @param unshown fields that it may not have been made from.
   * @throws NotFoundError when there is no such execution of this value with a value that is still kept.
   */
  async restore(
    em: EntityManager,
    principal: Principal,
    address: ValueAddress,
    executionId: string,
    unshown: readonly string[],
  ): Promise<Json> {
    const { tenantId } = principal;
    const [execution] = isId(executionId)
      ? await em.query<{ value: Json; sources: string[] }[]>(
          `SELECT value, sources FROM ai_executions
            WHERE tenant_id = $1 AND id = $2 AND record_id = $3 AND field = $4 AND value IS NOT NULL
              AND NOT sources && $5::text[]`,
          [tenantId, executionId, address.recordId, address.field, unshown],
        )
      : [];
    if (!execution) throw new NotFoundError('execution with a value of this field', executionId);
    await this.lockRecord(em, tenantId, address);
    await this.override(em, principal, address, execution.value, execution.sources);
    await this.show(em, tenantId, address, execution.value);
    return execution.value;
  }

  /** @throws FieldsmithError `no_value` (409) when there is nothing to have an opinion on. */
  async feedback(
    em: EntityManager,
    tenantId: string,
    address: ValueAddress,
    feedback: string,
    comment?: string,
  ): Promise<void> {
    const [, rated] = await em.query<[unknown, number]>(
      `UPDATE ai_values SET feedback = $4, feedback_comment = $5
        WHERE tenant_id = $1 AND record_id = $2 AND field = $3 AND generated_at IS NOT NULL`,
      [
        tenantId,
        address.recordId,
        address.field,
        feedback === 'none' ? null : feedback,
        feedback === 'none' ? null : (comment ?? null),
      ],
    );
    if (rated === 0)
      throw new FieldsmithError('no_value', 'There is no generated value yet: generate it first.', {
        status: 409,
      });
  }

  private async override(
    em: EntityManager,
    principal: Principal,
    address: ValueAddress,
    value: Json,
    sources: readonly string[],
  ): Promise<void> {
    await em.query(
      `INSERT INTO ai_values AS v (tenant_id, pipeline_id, record_id, field, revision, override, override_sources, overridden_at, overridden_by)
       VALUES ($1, $2, $3, $4, 1, $5, $6, now(), $7)
       ON CONFLICT (tenant_id, record_id, field) DO UPDATE SET revision = v.revision + 1, override = excluded.override,
         override_sources = excluded.override_sources, overridden_at = now(), overridden_by = excluded.overridden_by`,
      [
        principal.tenantId,
        address.pipelineId,
        address.recordId,
        address.field,
        JSON.stringify(value),
        sources,
        principal.id,
      ],
    );
  }

  /** Lock order is record, then AI value. */
  private async lockRecord(em: EntityManager, tenantId: string, { recordId }: ValueAddress): Promise<void> {
    const record = await this.records.read(em, tenantId, recordId, { lock: true });
    if (!record) throw new NotFoundError('record', recordId);
  }

  private async show(
    em: EntityManager,
    tenantId: string,
    { pipelineId, recordId, field }: ValueAddress,
    value: Json,
  ): Promise<void> {
    await this.records.storeValue(em, tenantId, recordId, field, value);
    const payload = { pipeline_id: pipelineId, record_id: recordId, field };
    await this.events.append(em, tenantId, [{ type: 'ai_value.changed', payload }]);
  }
}
