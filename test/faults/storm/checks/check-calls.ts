import type { StruckFault } from '../storm.js';
import type { StormOptions } from '../storm-options.js';
import { fateOf } from '../weather.js';
import type { Evidence } from './evidence.js';

const WORKERS = 2;

/** Counts of a storm, for its line of figures and the checks of sums. */
export function figuresOf({ jobs, calls, requests }: Evidence): Record<string, number> {
  const outcomes = (outcome: string) => jobs.filter((job) => job.outcome === outcome).length;
  const received = [...requests.values()].flat();
  return {
    jobs: jobs.length,
    generated: outcomes('generated'),
    cached: outcomes('cached'),
    unchanged: outcomes('unchanged'),
    refused_by_budget: jobs.filter(({ status }) => status === 'failed').length,
    superseded: jobs.filter(({ status }) => status === 'cancelled').length,
    attempts: jobs.reduce((sum, { attempt }) => sum + attempt, 0),
    retries: jobs.reduce((sum, { retry_count: count }) => sum + count, 0),
    calls: received.length,
    answered: received.filter((request) => fateOf(request) === 'billed').length,
    lost: calls.filter(({ worker_lost: lost }) => lost).length,
    unconfirmed: calls.filter(({ entries }) => entries['unconfirmed'] && !entries['unconfirmed_released'])
      .length,
    corrected: calls.filter(({ entries }) => entries['unconfirmed_released']).length,
  };
}

/** An answer is paid for once, save for attempts that were really lost; and those are no more than were in flight. */
export function checkCalls(
  figures: Record<string, number>,
  faults: readonly StruckFault[],
  { slots }: StormOptions,
): string[] {
  const { answered = 0, generated = 0, lost = 0 } = figures;
  const most = faults.reduce((sum, { costs }) => sum + costs * slots * WORKERS, 0);
  return [
    ...(answered > generated + lost
      ? [`calls: ${answered} answers for ${generated} values and ${lost} lost attempts`]
      : []),
    ...(lost > most
      ? [`calls: ${lost} attempts were lost, at most ${most} were in flight at the faults`]
      : []),
  ];
}
