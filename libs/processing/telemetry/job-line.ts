/** A line of the log about one job: every one carries the ids of the job and its tenant. */
export interface JobLine {
  message: string;
  job_id: string;
  tenant_id: string;
  [key: string]: unknown;
}

/**
 * Makes the line that a logger is given. Ids, codes and counts only: never a prompt, an answer or a value.
 *
 * @example this.logger.warn(jobLine(job, 'the lease could not be renewed', { err: loggableError(error) }))
 */
export function jobLine(
  { tenantId, id }: { tenantId: string; id: string },
  message: string,
  more: Record<string, unknown> = {},
): JobLine {
  return { message, job_id: id, tenant_id: tenantId, ...more };
}
