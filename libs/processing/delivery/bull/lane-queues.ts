import type { Job, JobId, JobOptions, Queue } from 'bull';
import { isId, storableText } from '#libs/common';
import { LANE, type JobHint, type Lane } from '../../jobs/job.js';

/** Name of the queue of each lane. */
export const QUEUE_OF_LANE: Readonly<Record<Lane, string>> = {
  [LANE.interactive]: 'interactive',
  [LANE.backfill]: 'backfill',
};

export const QUEUE_NAMES: readonly string[] = Object.values(QUEUE_OF_LANE);

/** With the method that Bull documents for jobs that are processed by hand, and leaves out of its types. */
export interface LaneQueue extends Queue<unknown> {
  nextJobFromJobData(data: unknown, id: JobId): Job<unknown> | null;
}

export type LaneQueues = Readonly<Record<Lane, LaneQueue>>;

/** Nothing of a hint stays: order, waiting and retries are the row's. */
export const HINT_OPTIONS: JobOptions = { removeOnComplete: true, removeOnFail: true };

const MAX_TENANT_LENGTH = 200;

/** What a message says; undefined where it is none of ours, for anybody may write to Redis. */
export function hintOf({ data }: Pick<Job<unknown>, 'data'>): JobHint | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { tenantId, jobId } = data as Partial<Record<keyof JobHint, unknown>>;
  return isTenantId(tenantId) && isId(jobId) ? { tenantId, jobId } : undefined;
}

function isTenantId(text: unknown): text is string {
  if (typeof text !== 'string' || text.length === 0 || text.length > MAX_TENANT_LENGTH) return false;
  return text === storableText(text);
}
