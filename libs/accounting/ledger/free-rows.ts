import type { EntityManager } from 'typeorm';
import type { CallSubject } from '../budgets/hold-requests.js';

/** A result that needed no call: the ledger counts it as a row that costs nothing. */
export interface FreeResult {
  jobId: string;
  attempt: number;
  subject: Omit<CallSubject, 'keySource' | 'priceId'>;
  outcome: 'unchanged' | 'cached' | 'reused';
}

/** Counts a result that needed no call. Repeating it changes nothing. */
export async function recordFreeResult(em: EntityManager, tenantId: string, free: FreeResult): Promise<void> {
  const { subject } = free;
  await em.query(
    `INSERT INTO ai_ledger (tenant_id, held_at, job_id, attempt, n, entry, principal_id, pipeline_id, record_id, field,
       operation, provider, model, key_source, cost_nano, outcome)
     VALUES ($1, clock_timestamp(), $2, $3, 0, 'free', $4, $5, $6, $7, $8, $9, $10, 'none', 0, $11)`,
    [
      tenantId,
      free.jobId,
      free.attempt,
      subject.principalId,
      subject.pipelineId ?? null,
      subject.recordId ?? null,
      subject.field ?? null,
      subject.operation,
      subject.provider,
      subject.model,
      free.outcome,
    ],
  );
}
