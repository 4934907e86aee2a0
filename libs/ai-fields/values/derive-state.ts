import type { CompiledField } from '../config/compile-field.js';
import type { ShownValueRow } from './value-row.js';

export type AiValueState =
  'empty' | 'queued' | 'generating' | 'ready' | 'stale' | 'failed' | 'blocked' | 'overridden';

/** Why a value is stale: what it was made of has changed, or something upstream is stale itself. */
export type StaleReason = 'inputs' | 'config' | 'template' | 'upstream';

/** The jobs of a value that its state depends on. */
export interface ValueJobs {
  open?: { id: string; status: 'pending' | 'processing'; waitReason?: string } & JobError;
  last?: { id: string; status: string; outcome?: string } & JobError;
}

/** What a job met. */
export interface JobError {
  errorCode?: string;
  errorMessage?: string;
}

export interface DerivedState {
  state: AiValueState;
  staleReasons: StaleReason[];
}

/** Failures that a person with the right permissions must lift before trying again helps. */
const BLOCKING = new Set([
  'budget_exceeded',
  'unknown_price',
  'model_stopped',
  'provider_key_missing',
  'global_key_forbidden',
  'base_url_not_allowed',
  'provider_authentication',
  'provider_permission',
  'provider_quota',
]);

/**
 * The state of a value, derived from what is known and stored nowhere.
 *
 * @param upstreamFresh whether every AI value it reads is fresh.
 */
export function deriveState(
  field: CompiledField,
  row: ShownValueRow | undefined,
  jobs: ValueJobs,
  currentInputs: string,
  upstreamFresh: boolean,
): DerivedState {
  const staleReasons = staleReasonsOf(field, row, currentInputs, upstreamFresh);
  return { state: stateOf(row, jobs, staleReasons), staleReasons };
}

function stateOf(
  row: ShownValueRow | undefined,
  { open, last }: ValueJobs,
  staleReasons: StaleReason[],
): AiValueState {
  if (open?.status === 'processing') return 'generating';
  if (open) return isBlocked(open) ? 'blocked' : 'queued';
  if (row?.overridden) return 'overridden';
  if (last?.status === 'failed') return BLOCKING.has(last.errorCode ?? '') ? 'blocked' : 'failed';
  if (!row?.generated_at) return 'empty';
  return staleReasons.length > 0 ? 'stale' : 'ready';
}

/** A provider key that fails is lifted by whoever owns it, not by waiting. */
export function isBlocked(open: ValueJobs['open']): boolean {
  return open?.status === 'pending' && open.waitReason === 'breaker';
}

function staleReasonsOf(
  field: CompiledField,
  row: ShownValueRow | undefined,
  currentInputs: string,
  upstreamFresh: boolean,
): StaleReason[] {
  if (!row?.generated_at || row.overridden) return [];
  const reasons: StaleReason[] = [];
  if (row.inputs_hash !== currentInputs) reasons.push('inputs');
  if (row.config_hash !== field.configHash) reasons.push('config');
  if (row.prompt_hash !== field.promptHash) reasons.push('template');
  if (!upstreamFresh) reasons.push('upstream');
  return reasons;
}
