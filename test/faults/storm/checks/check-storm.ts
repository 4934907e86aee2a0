import type { StruckFault } from '../storm.js';
import type { StormOptions } from '../storm-options.js';
import type { StormStage } from '../storm-stage.js';
import { allRecords, type StormTenant } from '../tenants.js';
import { checkCalls, figuresOf } from './check-calls.js';
import { checkEvents } from './check-events.js';
import { checkFresh, checkJobs, checkRight } from './check-jobs.js';
import { checkBudgets, checkLedger } from './check-ledger.js';
import { gather } from './evidence.js';

export interface StormFindings {
  figures: Record<string, number>;
  violations: string[];
}

/** Checks all that must be true when everything is quiet. */
export async function checkStorm(
  stage: StormStage,
  tenants: readonly StormTenant[],
  faults: readonly StruckFault[],
  options: StormOptions,
): Promise<StormFindings> {
  const evidence = await gather(stage);
  const shown = await Promise.all(
    tenants.map(async ({ api, pipelineId, roomy }) =>
      (await allRecords(api, pipelineId)).map((record) => ({ ...record, roomy })),
    ),
  );
  const roomyIds = new Set(tenants.filter(({ roomy }) => roomy).map(({ api }) => api.tenantId));
  const figures = figuresOf(evidence);
  const violations = [
    ...checkJobs(evidence, roomyIds),
    ...checkRight(evidence),
    ...checkFresh(evidence, shown.flat()),
    ...checkLedger(evidence),
    ...(await checkBudgets(stage)),
    ...checkCalls(figures, faults, options),
    ...(await checkEvents(tenants, evidence.jobs)),
  ];
  return { figures, violations };
}
