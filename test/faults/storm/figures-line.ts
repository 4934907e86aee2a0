import type { StormReport } from './storm.js';

/** One line that says what a storm came to. */
export function lineOf({ seed, figures, faults, violations }: StormReport): string {
  const counted = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`);
  const recovered = faults.map(({ name, recoveryMs }) => `${name} ${(recoveryMs / 1000).toFixed(1)} s`);
  const verdict = violations.length === 0 ? 'all invariants hold' : `${violations.length} VIOLATIONS`;
  return `seed ${seed}: ${counted.join(', ')}; recovered from ${recovered.join(', ')}; ${verdict}`;
}
