import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { RecordChangeListener, ValueReaders, ValueSight, type TriggeredJob } from '#libs/ai-fields';
import { FieldsmithError, InvalidInputError, NotFoundError, type ErrorDetail, type Json } from '#libs/common';
import { EventLog } from '#libs/events';
import type { Principal } from '#libs/host';
import { TenantTransactions } from '#libs/tenants';
import { aiFieldsAmong, writableFields, type Pipeline } from '../pipelines/pipeline.js';
import { PipelineCatalog } from '../pipelines/pipeline-catalog.js';
import { dataErrors } from '../values/check-data.js';
import { findRecord, type FoundRecord } from './find-record.js';
import { insertRecords } from './insert-records.js';
import { applied, changedValues, dataChanges, isEmptyChange, type DataChanges } from './record-changes.js';
import { recordEvent } from './record-event.js';
import type { RecordRow } from './record-rows.js';
import { RecordViews, type RecordView } from './record-views.js';
import { missingTargets, type NewValues } from './relation-targets.js';

/** Writes the keys it names and no other, so that a value the plugin stores meanwhile is not undone. */
const MERGE = `
  UPDATE records SET data = (data || $3::jsonb) - $4::text[], version = version + 1, updated_at = clock_timestamp()
   WHERE tenant_id = $1 AND id = $2 RETURNING version, updated_at`;
const REMOVE = 'DELETE FROM records WHERE tenant_id = $1 AND id = $2';

/**
 * Saves records: each save is one transaction of a few statements, in which the plugin is told what changed, so that
 * the record and the jobs it makes due become visible together.
 */
@Injectable()
export class RecordWriter {
  // The collaborators are what a save is checked by, and who is told of it.
  constructor(
    private readonly tenants: TenantTransactions,
    private readonly catalog: PipelineCatalog,
    private readonly views: RecordViews,
    private readonly listener: RecordChangeListener,
    private readonly events: EventLog,
    private readonly sights: ValueSight,
    private readonly readers: ValueReaders,
  ) {}

  /**
   * @throws InvalidInputError with everything that is wrong; NotFoundError for the pipeline; FieldNotVisibleError, 403,
   * for a value that the principal may not see.
   */
  add(principal: Principal, pipelineId: string, given: Record<string, Json>): Promise<RecordView> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      const pipeline = await this.catalog.forWriting(em, tenantId, pipelineId);
      await this.sights.requireWritable(em, principal, pipeline, Object.keys(given));
      await this.check(em, principal, pipeline, { given });
      const values = dataChanges({}, given).set;
      const [row] = (await insertRecords(em, tenantId, pipelineId, [values])) as [RecordRow];
      const jobs = await this.announce(em, principal, pipeline, row, values, true);
      return this.views.showSaved(em, principal, pipeline, row, jobs);
    });
  }

  /**
   * Saves the values that are given and leaves the others.
   *
   * @param expectedVersion the version that the changes were made on; undefined skips the check.
   * @throws InvalidInputError, NotFoundError; FieldsmithError `version_conflict`, 409; FieldNotVisibleError, 403.
   */
  change(
    principal: Principal,
    recordId: string,
    given: Record<string, Json>,
    expectedVersion?: number,
  ): Promise<RecordView> {
    const { tenantId } = principal;
    return this.tenants.transaction(tenantId, async (em) => {
      const { row, pipeline } = await this.lock(em, tenantId, recordId);
      await this.sights.requireWritable(em, principal, pipeline, Object.keys(given), recordId);
      if (expectedVersion !== undefined && String(expectedVersion) !== row.version)
        throw versionConflict(row);
      await this.check(em, principal, pipeline, { given, current: row.data });
      const changes = dataChanges(row.data, given);
      if (isEmptyChange(changes)) return this.views.showSaved(em, principal, pipeline, row, []);
      return this.saveChanges(em, principal, pipeline, row, changes);
    });
  }

  /** @throws NotFoundError */
  async remove({ tenantId }: Principal, recordId: string): Promise<void> {
    await this.tenants.transaction(tenantId, async (em) => {
      const { pipeline } = await this.lock(em, tenantId, recordId);
      await this.listener.recordDeleted(em, tenantId, recordId);
      await em.query(REMOVE, [tenantId, recordId]);
      const payload = { record_id: recordId, pipeline_id: pipeline.id };
      await recordEvent(this.events, em, tenantId, { type: 'record.deleted', payload });
    });
  }

  /**
   * What follows the lock needs no answer of each other, so it is sent together: the merge, the plugin's jobs, the event,
   * and what the answer shows. The record is locked before any of it, so the order of locks holds.
   */
  private async saveChanges(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    row: RecordRow,
    changes: DataChanges,
  ): Promise<RecordView> {
    const { tenantId } = principal;
    const expected = { ...row, version: String(Number(row.version) + 1) };
    const writesAiValues = aiFieldsAmong(pipeline, Object.keys(changedValues(changes))).length > 0;
    const [saved, jobs, facts] = await Promise.all([
      merge(em, tenantId, row, changes),
      this.announce(em, principal, pipeline, expected, changedValues(changes), false),
      writesAiValues ? undefined : this.views.facts(em, tenantId, pipeline, row.id),
    ]);
    return this.views.showSaved(em, principal, pipeline, saved, jobs, facts);
  }

  private async lock(em: EntityManager, tenantId: string, recordId: string): Promise<FoundRecord> {
    const found = await findRecord(em, this.catalog, tenantId, recordId, { forWriting: true });
    if (!found) throw new NotFoundError('record', recordId);
    return found;
  }

  private async check(
    em: EntityManager,
    { tenantId, roles }: Principal,
    pipeline: Pipeline,
    values: NewValues,
  ): Promise<void> {
    const wrong = dataErrors(writableFields(pipeline, roles), values.given, values.current === undefined);
    const errors = [...wrong, ...(await this.aiValueErrors(em, tenantId, pipeline, values, wrong))];
    if (errors.length > 0) throw new InvalidInputError(errors);
    const missing = (await missingTargets(em, tenantId, pipeline, [values])).get(0);
    if (missing) throw new InvalidInputError(missing);
  }

  /** An AI value that is given as it stands may be of an output type that the field has no more: that changes nothing. */
  private async aiValueErrors(
    em: EntityManager,
    tenantId: string,
    pipeline: Pipeline,
    { given, current = {} }: NewValues,
    wrong: readonly ErrorDetail[],
  ): Promise<ErrorDetail[]> {
    const sound = aiFieldsAmong(pipeline, Object.keys(given)).filter(
      (slug) => !wrong.some(({ path }) => path === `data.${slug}`),
    );
    const changed = changedValues(dataChanges(current, pick(given, sound)));
    if (Object.keys(changed).length === 0) return [];
    const reader = await this.readers.of(em, tenantId, pipeline);
    return Object.entries(changed).flatMap(([slug, value]) => {
      const message = reader.problem(slug, value);
      return message ? [{ path: `data.${slug}`, message }] : [];
    });
  }

  private async announce(
    em: EntityManager,
    principal: Principal,
    pipeline: Pipeline,
    { id, version }: RecordRow,
    changed: Record<string, Json>,
    created: boolean,
  ): Promise<TriggeredJob[]> {
    const change = {
      pipelineId: pipeline.id,
      pipelineVersion: pipeline.version,
      recordId: id,
      created,
      changed,
      origin: 'user' as const,
    };
    const payload = { record_id: id, pipeline_id: pipeline.id, version: Number(version) };
    const [[jobs]] = await Promise.all([
      this.listener.recordsSaved(em, principal, [change]),
      recordEvent(this.events, em, principal.tenantId, { type: 'record.updated', payload }),
    ]);
    return jobs ?? [];
  }
}

function pick(values: Record<string, Json>, slugs: readonly string[]): Record<string, Json> {
  return Object.fromEntries(slugs.map((slug) => [slug, values[slug] ?? null]));
}

async function merge(
  em: EntityManager,
  tenantId: string,
  row: RecordRow,
  changes: DataChanges,
): Promise<RecordRow> {
  const parameters = [tenantId, row.id, JSON.stringify(changes.set), changes.cleared];
  const [[saved]] = await em.query<[Pick<RecordRow, 'version' | 'updated_at'>[]]>(MERGE, parameters);
  return { ...row, ...saved, data: applied(row.data, changes) };
}

function versionConflict({ version }: RecordRow): FieldsmithError {
  const message = `The record was changed meanwhile, it has version ${version} now: reload it and try again.`;
  return new FieldsmithError('version_conflict', message, { status: 409 });
}
