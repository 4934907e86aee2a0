import type { EntityManager } from 'typeorm';
import type { BudgetScope } from './budget-scope.js';

/** A budget, of whatever month. */
export interface BudgetKey {
  scope: BudgetScope;
  scopeId: string;
}

export interface RetriedBlocked {
  retried: number;
  /** Jobs that were left as they are, and why; at most 1,000 are named. */
  skipped: { id: string; reason: string }[];
}

/** The jobs that a budget stands in the way of. What knows of jobs implements it; it comes after this lib. */
export interface BlockedJobs {
  /** How many {@link retry} would take up: those it refused, without those that something newer replaced, and those that wait for room in it. */
  count(em: EntityManager, tenantId: string, budget: BudgetKey): Promise<number>;
  /** Takes them up again, the newest of each value, at most 1,000 at a time. */
  retry(em: EntityManager, tenantId: string, budget: BudgetKey): Promise<RetriedBlocked>;
}

/** Nest token of the {@link BlockedJobs}. */
export const BLOCKED_JOBS = Symbol('BLOCKED_JOBS');
