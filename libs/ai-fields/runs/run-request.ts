import type { Json } from '#libs/common';
import type { Priority } from '#libs/processing';
import type { AiValueState } from '../values/derive-state.js';

export const RUN_SCOPES = ['all', 'empty', 'stale', 'failed'] as const;
export type RunScope = (typeof RUN_SCOPES)[number];

/** Which values of a field are to be generated. */
export interface RunRequest {
  pipelineId: string;
  field: string;
  scope: RunScope;
  filter?: Record<string, Json>;
  /** Records at most; default all. */
  limit?: number;
  /** Of its jobs within the backfill lane; default `default`. */
  priority?: Priority;
}

/** The states that a scope takes; undefined for any. A fallback is `empty` as well, whatever its state. */
export const SCOPE_STATES: Record<RunScope, readonly AiValueState[] | undefined> = {
  all: undefined,
  empty: ['empty'],
  stale: ['stale'],
  failed: ['failed', 'blocked'],
};
