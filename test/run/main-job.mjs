import { existsSync } from 'node:fs';

/**
 * The tests of the main job, which hold under either delivery: from an edit to its value, what can go wrong on the way,
 * and what it may cost. They run a second time with Redis between the dispatcher and the workers.
 */
export const MAIN_JOB = [
  'e2e/a-backlog-delays-nobody',
  'e2e/budget-runs-out',
  'e2e/chain-and-diamond',
  'e2e/deleted-mid-job',
  'e2e/edit-regenerates',
  'e2e/edits-in-a-burst',
  'e2e/edits-leave-backfill-its-fifth',
  'e2e/failures-are-retried-by-kind',
  'e2e/generate-many',
  'e2e/jobs-can-be-controlled',
  'e2e/manual-override',
  'e2e/priorities',
  'e2e/rate-limit-pauses-the-key',
  'e2e/workflow-nodes',
  'faults/killed-again-and-again',
  'faults/killed-with-a-call-in-flight',
];

/**
 * A pattern for Jest that means just these.
 *
 * @throws when one of them is not there, so that none drops out by being renamed
 */
export function mainJobPattern() {
  const missing = MAIN_JOB.filter((name) => !existsSync(new URL(`../${name}.spec.ts`, import.meta.url)));
  if (missing.length > 0) throw new Error(`test/run/main-job.mjs names tests that are not there: ${missing}`);
  return `/test/(${MAIN_JOB.join('|')})\\.spec\\.ts$`;
}
