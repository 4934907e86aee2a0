import type { EntityManager } from 'typeorm';
import type { FieldsmithError } from '#libs/common';
import { INPUTS_WITHDRAWN, JobCancelled, JobDiscarded } from './ai-process.js';
import type { CallingJob } from './execution.js';

interface Row {
  halted: boolean;
  withdrawn: boolean;
}

/**
 * Why an attempt must not make a further call, in the words that end its job: it was stopped or taken over while the
 * last call was in flight, or what its prompt was made from may not be sent any more, or is gone. Undefined where it may
 * go on.
 */
export async function haltOf(em: EntityManager, job: CallingJob): Promise<FieldsmithError | undefined> {
  if (job.gone) return job.gone(em);
  const { tenantId, id, attempt } = job;
  const [row] = await em.query<Row[]>(
    `SELECT cancel_requested OR status <> 'processing' OR attempt <> $3 AS halted, withdrawn
       FROM ai_jobs WHERE tenant_id = $1 AND id = $2`,
    [tenantId, id, attempt],
  );
  if (row?.halted) return new JobCancelled('cancelled', 'Stopped on request.');
  if (row?.withdrawn) {
    return new JobDiscarded(
      INPUTS_WITHDRAWN,
      'A field that the value was made from may not be used any more.',
    );
  }
  return undefined;
}
