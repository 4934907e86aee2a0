import type { CompiledField } from '../config/compile-field.js';
import { deriveState } from './derive-state.js';
import type { ShownValueRow } from './value-row.js';

const field = { configHash: 'c', promptHash: 'p' } as CompiledField;
const row = {
  generated_at: new Date(0).toISOString(),
  inputs_hash: 'i',
  config_hash: 'c',
  prompt_hash: 'p',
  overridden: false,
} as ShownValueRow;

describe('deriveState', () => {
  it('is empty, then ready', () => {
    expect(deriveState(field, undefined, {}, 'i', true).state).toBe('empty');
    expect(deriveState(field, row, {}, 'i', true)).toEqual({ state: 'ready', staleReasons: [] });
  });

  it('names every reason why a value is stale', () => {
    const old = { ...row, config_hash: 'old', prompt_hash: 'old' };
    expect(deriveState(field, old, {}, 'other', false)).toEqual({
      state: 'stale',
      staleReasons: ['inputs', 'config', 'template', 'upstream'],
    });
  });

  it('shows work before anything else', () => {
    const overridden = { ...row, overridden: true };
    expect(deriveState(field, overridden, { open: { id: 'j', status: 'processing' } }, 'i', true).state).toBe(
      'generating',
    );
    expect(deriveState(field, row, { open: { id: 'j', status: 'pending' } }, 'i', true).state).toBe('queued');
  });

  it('tells waiting from waiting for somebody to mend a provider key', () => {
    const open = (waitReason: string) => ({ open: { id: 'j', status: 'pending' as const, waitReason } });
    expect(deriveState(field, row, open('breaker'), 'i', true).state).toBe('blocked');
    expect(deriveState(field, row, open('key_busy'), 'i', true).state).toBe('queued');
  });

  it('lets a person be right: an overridden value is never stale', () => {
    expect(deriveState(field, { ...row, overridden: true }, {}, 'other', false)).toEqual({
      state: 'overridden',
      staleReasons: [],
    });
  });

  it('tells what an admin must lift from what failed', () => {
    const failed = (errorCode: string) => ({ last: { id: 'j', status: 'failed', errorCode } });
    expect(deriveState(field, row, failed('budget_exceeded'), 'i', true).state).toBe('blocked');
    expect(deriveState(field, row, failed('parse_failed'), 'i', true).state).toBe('failed');
  });
});
