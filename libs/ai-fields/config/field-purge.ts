import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { JobControl } from '#libs/processing';
import { subjectOf } from '../generation/subject.js';

/** No attempt of the tenant begins until the transaction ends; what those in flight made from the field is not kept. */
const BEGIN = 'SELECT ai_begin_purge($1, $2, $3)';

/**
 * A result in flight is discarded, and its content not recorded. Every job in flight is locked, in the order of the ids:
 * the others may have read the field too, by a configuration or through a value that is no more, and look for the purge
 * when they end.
 */
const WITHDRAW = `
  WITH in_flight AS MATERIALIZED (
    SELECT id, field FROM ai_jobs WHERE tenant_id = $1 AND pipeline_id = $2 AND status = 'processing' ORDER BY id FOR UPDATE)
  UPDATE ai_jobs SET withdrawn = true
   WHERE tenant_id = $1 AND id = ANY (ARRAY(SELECT id FROM in_flight WHERE field = ANY ($3)))`;

/** Found by subject, which is indexed; a record has one of every AI field there is. */
const OF_RECORD = `subject = ANY (ARRAY(
  SELECT DISTINCT $2 || ':' || field FROM ai_field_configs WHERE tenant_id = $1)) AND completed_at IS NULL`;

/** Takes a field out of everything that is kept. */
@Injectable()
export class FieldPurge {
  constructor(private readonly jobs: JobControl) {}

  /** The AI field is deleted: its open jobs end and its values go; what was spent stays in the ledger. */
  async dropField(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    field: string,
    madeFrom: readonly string[],
  ): Promise<void> {
    await em.query(BEGIN, [tenantId, pipelineId, field]);
    await this.cancelOpen(em, tenantId, 'pipeline_id = $2 AND field = $3', [pipelineId, field]);
    await em.query('DELETE FROM ai_values WHERE tenant_id = $1 AND pipeline_id = $2 AND field = $3', [
      tenantId,
      pipelineId,
      field,
    ]);
    await this.forget(em, tenantId, pipelineId, field, madeFrom);
  }

  /** The record is deleted: its open jobs end, its values and what was asked about it go. */
  async dropRecord(em: EntityManager, tenantId: string, recordId: string): Promise<void> {
    const [values] = await em.query<[{ field: string }[], number]>(
      'DELETE FROM ai_values WHERE tenant_id = $1 AND record_id = $2 RETURNING field',
      [tenantId, recordId],
    );
    const subjects = values.map(({ field }) => subjectOf(recordId, field));
    await this.cancelOpen(em, tenantId, OF_RECORD, [recordId]);
    await em.query(
      `DELETE FROM ai_result_cache c USING ai_executions e
        WHERE e.tenant_id = $1 AND e.record_id = $2 AND c.tenant_id = $1 AND c.execution_id = e.id`,
      [tenantId, recordId],
    );
    await this.blank(em, 'tenant_id = $1 AND record_id = $2', [tenantId, recordId]);
    await this.blankJobs(em, 'tenant_id = $1 AND subject = ANY ($2)', [tenantId, subjects]);
  }

  /** The pipeline is deleted: what {@link dropField} does for each of its fields. */
  async dropPipeline(em: EntityManager, tenantId: string, pipelineId: string): Promise<void> {
    await this.cancelOpen(em, tenantId, 'pipeline_id = $2', [pipelineId]);
    await em.query('DELETE FROM ai_values WHERE tenant_id = $1 AND pipeline_id = $2', [tenantId, pipelineId]);
    await em.query(
      `DELETE FROM ai_result_cache c USING ai_executions e
        WHERE e.tenant_id = $1 AND e.pipeline_id = $2 AND c.tenant_id = $1 AND c.execution_id = e.id`,
      [tenantId, pipelineId],
    );
    await this.blank(em, 'tenant_id = $1 AND pipeline_id = $2', [tenantId, pipelineId]);
    await this.blankJobs(em, 'tenant_id = $1 AND pipeline_id = $2', [tenantId, pipelineId]);
  }

  /**
   * Prompts and answers made from the field, and results cached from them, are not kept any longer; what is in flight
   * leaves none either.
   *
   * @param madeFrom the AI fields whose values are made from it.
   */
  async forget(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    field: string,
    madeFrom: readonly string[],
  ): Promise<void> {
    await this.withdraw(em, tenantId, pipelineId, field, madeFrom);
    await em.query(
      `DELETE FROM ai_result_cache c USING ai_executions e
        WHERE e.tenant_id = $1 AND e.pipeline_id = $2 AND $3 = ANY (e.sources) AND c.tenant_id = $1 AND c.execution_id = e.id`,
      [tenantId, pipelineId, field],
    );
    await this.blank(em, 'tenant_id = $1 AND pipeline_id = $2 AND (field = $3 OR $3 = ANY (sources))', [
      tenantId,
      pipelineId,
      field,
    ]);
    await this.blankJobs(
      em,
      `tenant_id = $1 AND pipeline_id = $2 AND (field = $3 OR field IN (
         SELECT field FROM ai_executions WHERE tenant_id = $1 AND pipeline_id = $2 AND $3 = ANY (sources)))`,
      [tenantId, pipelineId, field],
    );
  }

  /** What is in flight and made from the field leaves nothing; what is kept stays. Parameters as in {@link forget}. */
  async withdraw(
    em: EntityManager,
    tenantId: string,
    pipelineId: string,
    field: string,
    madeFrom: readonly string[],
  ): Promise<void> {
    await em.query(BEGIN, [tenantId, pipelineId, field]);
    await em.query(WITHDRAW, [tenantId, pipelineId, madeFrom]);
  }

  private async blank(em: EntityManager, where: string, values: unknown[]): Promise<void> {
    await em.query(
      `UPDATE ai_executions SET request = NULL, answer = NULL, value = NULL,
          error_message = CASE WHEN error_code <> 'parse_failed' THEN error_message END WHERE ${where}`,
      values,
    );
  }

  /** Results on jobs, those of cached ones too; an answer that could not be read is quoted in the message. */
  private async blankJobs(em: EntityManager, where: string, values: unknown[]): Promise<void> {
    await em.query(
      `UPDATE ai_jobs SET output = NULL, error_message = CASE WHEN error_code <> 'parse_failed' THEN error_message END
        WHERE (output IS NOT NULL OR error_code = 'parse_failed') AND ${where}`,
      values,
    );
  }

  private async cancelOpen(
    em: EntityManager,
    tenantId: string,
    where: string,
    values: unknown[],
  ): Promise<void> {
    const open = await em.query<{ id: string }[]>(
      `SELECT id FROM ai_jobs WHERE tenant_id = $1 AND status IN ('pending', 'processing') AND ${where} ORDER BY id`,
      [tenantId, ...values],
    );
    const ids = open.map(({ id }) => id);
    await this.jobs.cancelMany(em, tenantId, ids);
    await em.query('UPDATE ai_jobs SET withdrawn = true WHERE tenant_id = $1 AND id = ANY ($2)', [
      tenantId,
      ids,
    ]);
  }
}
